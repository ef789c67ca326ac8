%% Idle processes: bytes of each, and the cost of starting and stopping very many.
-module(idle).
-export([bytes/0, hundred_thousand/0, million/0]).

bytes() ->
    fun(_) ->
        Before = bench_frame:bytes_in_use(),
        All = start(100000, []),
        After = bench_frame:bytes_in_use(),
        stop(All),
        (After - Before) / 100000
    end.

hundred_thousand() -> start_and_stop(100000).
million() -> start_and_stop(1000000).

start_and_stop(Count) ->
    fun(_) ->
        Started = erlang:monotonic_time(nanosecond),
        All = start(Count, []),
        stop(All),
        (erlang:monotonic_time(nanosecond) - Started) / Count
    end.

%% Each has a counter as its state, like the actors of the other subjects.
start(0, All) -> All;
start(N, All) ->
    Driver = self(),
    start(N - 1, [spawn(fun() -> counter(0, Driver) end) | All]).

counter(Total, Driver) ->
    receive {add, N} -> counter(Total + N, Driver); stop -> Driver ! stopped end.

stop(All) ->
    [P ! stop || P <- All],
    wait(length(All)).

wait(0) -> ok;
wait(N) -> receive stopped -> wait(N - 1) end.
