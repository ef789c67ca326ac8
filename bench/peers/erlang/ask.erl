%% Question and answer. `server` is gen_server:call from one process; `servers` has 64 processes calling at once;
%% `raw` is the least by hand: a fresh reference, and a receive that waits for it alone.
-module(ask).
-behaviour(gen_server).
-export([server/0, servers/0, raw/0, init/1, handle_call/3, handle_cast/2]).

-define(SIZE, 20000).
-define(CALLERS, 64).

server() ->
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> calls(Server, ?SIZE) end) end.

servers() ->
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    Driver = self(),
    Each = ?SIZE div ?CALLERS,
    Callers = [spawn_link(fun() -> caller(Server, Driver) end) || _ <- lists:seq(1, ?CALLERS)],
    fun(Ms) ->
        bench_frame:per_second(Ms, Each * ?CALLERS, fun() ->
            [C ! {call, Each} || C <- Callers],
            [receive done -> ok end || _ <- Callers]
        end)
    end.

raw() ->
    Server = spawn_link(fun() -> answer(7) end),
    fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> asks(Server, ?SIZE) end) end.

caller(Server, Driver) ->
    receive {call, N} -> calls(Server, N), Driver ! done end,
    caller(Server, Driver).

calls(_, 0) -> ok;
calls(Server, N) -> 7 = gen_server:call(Server, {total, N}), calls(Server, N - 1).

init([]) -> {ok, 7}.
handle_call({total, _}, _From, Total) -> {reply, Total, Total}.
handle_cast(_, Total) -> {noreply, Total}.

asks(_, 0) -> ok;
asks(Server, N) ->
    Ref = make_ref(),
    Server ! {total, self(), Ref, N},
    receive {Ref, 7} -> asks(Server, N - 1) end.

answer(Total) ->
    receive {total, From, Ref, _} -> From ! {Ref, Total} end,
    answer(Total).
