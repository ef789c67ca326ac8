%% A supervised worker crashes over and over: from just before its exit(boom) to the first instruction of the next
%% one. The worker is a bare spawn_link, the cheapest child that a supervisor can have.
%% `calm` takes a new supervisor every 100 crashes, since each looks through all its restarts of the last second;
%% `busy` keeps one for the whole run, with 10,000 restarts and more in that second.
-module(restart).
-behaviour(supervisor).
-export([calm/0, busy/0, siblings/0, init/1, start_worker/0, start_sibling/0]).

calm() -> start(0, 100).
busy() -> start(0, 1000000000).
siblings() -> start(10000, 100).

start(Siblings, Each) ->
    persistent_term:put(driver, self()),
    process_flag(trap_exit, true),
    fun(Ms) -> bench_frame:latency(supervisors(Siblings, Each, erlang:monotonic_time(millisecond) + Ms, [])) end.

supervisors(Siblings, Each, Until, Samples) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, Siblings),
    First = receive {running, Pid, _} -> Pid end,
    More = crashes(First, Each, Until, Samples),
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end,
    case erlang:monotonic_time(millisecond) < Until of
        true -> supervisors(Siblings, Each, Until, More);
        false -> More
    end.

crashes(_, 0, _, Samples) -> Samples;
crashes(Worker, Left, Until, Samples) ->
    Worker ! crash,
    Crashed = receive {crashing, At} -> At end,
    {Next, Ran} = receive {running, Pid, RanAt} -> {Pid, RanAt} end,
    case erlang:monotonic_time(millisecond) < Until of
        true -> crashes(Next, Left - 1, Until, [Ran - Crashed | Samples]);
        false -> [Ran - Crashed | Samples]
    end.

init(Siblings) ->
    Others = [#{id => {sibling, N}, start => {?MODULE, start_sibling, []}, shutdown => brutal_kill} || N <- lists:seq(1, Siblings)],
    Flags = #{strategy => one_for_one, intensity => 1000000000, period => 1},
    {ok, {Flags, Others ++ [#{id => worker, start => {?MODULE, start_worker, []}}]}}.

start_worker() -> {ok, spawn_link(fun worker/0)}.
start_sibling() -> {ok, spawn_link(fun() -> receive stop -> ok end end)}.

worker() ->
    Ran = erlang:monotonic_time(nanosecond),
    Driver = persistent_term:get(driver),
    Driver ! {running, self(), Ran},
    receive
        crash ->
            Driver ! {crashing, erlang:monotonic_time(nanosecond)},
            exit(boom)
    end.
