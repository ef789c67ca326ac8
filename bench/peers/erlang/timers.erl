%% Stopping a process with or without 10,000 timers of other processes pending.
-module(timers).
-export([none/0, pending/0]).

-define(SIZE, 2000).

none() ->
    fun(Ms) -> run(Ms, erlang:monotonic_time(millisecond), 0, 0) end.

pending() ->
    Owner = spawn_link(fun() -> receive stop -> ok end end),
    [erlang:send_after(3600000, Owner, {due, N}) || N <- lists:seq(1, 10000)],
    none().

%% Only the stops are timed; a run goes on until Ms have passed, starts included.
run(Ms, Started, Ns, Stopped) ->
    All = [spawn_monitor(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, ?SIZE)],
    erlang:yield(), %% they run up to their receive
    T0 = erlang:monotonic_time(nanosecond),
    [P ! stop || {P, _} <- All],
    [receive {'DOWN', Ref, process, _, normal} -> ok end || {_, Ref} <- All],
    Now = Ns + erlang:monotonic_time(nanosecond) - T0,
    case erlang:monotonic_time(millisecond) - Started < Ms of
        true -> run(Ms, Started, Now, Stopped + ?SIZE);
        false -> Now / (Stopped + ?SIZE)
    end.
