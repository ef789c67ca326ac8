%% Spawn, one message, stop. Each process handles {add, N}, then `stop`.
%% `raw` is the least that can be done: as its last act each process tells the driver its total. `monitored` processes say
%% nothing, the driver waits for the 'DOWN' of each: it learns of the end from the system, as the other subjects do.
%% Both start 1,000 before they wait; `..._one_by_one` waits for each; `server` is a gen_server, one by one.
-module(spawn_stop).
-behaviour(gen_server).
-export([raw/0, raw_one_by_one/0, among_siblings/0, monitored/0, monitored_one_by_one/0, server/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(SIZE, 1000).

raw() -> fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> start(?SIZE), wait(?SIZE) end) end.

raw_one_by_one() -> fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> sequence(?SIZE) end) end.

monitored() -> fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> start_monitored(?SIZE), downs(?SIZE) end) end.

monitored_one_by_one() -> fun(Ms) -> bench_frame:per_second(Ms, ?SIZE, fun() -> monitored_sequence(?SIZE) end) end.

among_siblings() ->
    [spawn_link(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, 100000)],
    raw().

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

start_monitored(0) -> ok;
start_monitored(N) ->
    {Worker, _} = spawn_monitor(fun() -> silent(0) end),
    Worker ! {add, 1},
    Worker ! stop,
    start_monitored(N - 1).

downs(0) -> ok;
downs(N) -> receive {'DOWN', _, process, _, normal} -> downs(N - 1) end.

monitored_sequence(0) -> ok;
monitored_sequence(N) -> start_monitored(1), downs(1), monitored_sequence(N - 1).

silent(Total) ->
    receive
        {add, N} -> silent(Total + N);
        stop -> ok
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
