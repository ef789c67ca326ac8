%% Spawn, one message, stop. Each process handles {add, N}, then `stop`, and as its last act tells the driver its total:
%% so the driver knows that the message was handled, and waits for no 'DOWN' (monitors cost more than that message).
%% `raw` starts 1,000 before it waits for them, `one_by_one` waits for each; `server` is a gen_server, one by one.
-module(spawn_stop).
-behaviour(gen_server).
-export([raw/0, one_by_one/0, among_siblings/0, one_by_one_among_siblings/0, server/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(SIZE, 1000).

raw() -> fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> start(?SIZE), wait(?SIZE) end) end.

one_by_one() -> fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> sequence(?SIZE) end) end.

among_siblings() -> siblings(100000), raw().
one_by_one_among_siblings() -> siblings(100000), one_by_one().

siblings(Count) -> [spawn_link(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, Count)].

start(0) -> ok;
start(N) ->
    Driver = self(),
    Worker = spawn(fun() -> worker(0, Driver) end),
    Worker ! {add, 1},
    Worker ! stop,
    start(N - 1).

wait(0) -> ok;
wait(N) -> receive {stopped, 1} -> wait(N - 1) end.

sequence(0) -> ok;
sequence(N) -> start(1), wait(1), sequence(N - 1).

worker(Total, Driver) ->
    receive
        {add, N} -> worker(Total + N, Driver);
        stop -> Driver ! {stopped, Total}
    end.

server() -> fun(Ms) -> bench_frame:per_second(Ms, 100, fun() -> servers(100) end) end.

servers(0) -> ok;
servers(N) ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    gen_server:cast(Server, {add, 1}),
    ok = gen_server:stop(Server),
    servers(N - 1).

init([]) -> {ok, 0}.
handle_call(total, _From, Total) -> {reply, Total, Total}.
handle_cast({add, N}, Total) -> {noreply, Total + N}.
