%% The process of one Erlang subject: erl ... -s bench_frame main -extra MODULE FUNCTION
%% MODULE:FUNCTION() prepares and returns a fun; each line on standard input, a number of
%% milliseconds, is one run of it, answered with one line: VALUE, or VALUE P99.
-module(bench_frame).
-export([main/0, per_second/3, ns_each/3, latency/1, shuffled/1, bytes_in_use/0]).

main() ->
    logger:set_primary_config(level, none), %% crash reports would be formatted and printed
    [Module, Function] = [list_to_atom(A) || A <- init:get_plain_arguments()],
    Run = Module:Function(),
    loop(Run).

loop(Run) ->
    case io:get_line("") of
        eof -> erlang:halt(0);
        Line ->
            {Ms, _} = string:to_integer(Line),
            print(Run(Ms)),
            loop(Run)
    end.

print({Value, P99}) -> io:format("~w ~w~n", [float(Value), float(P99)]);
print(Value) -> io:format("~w~n", [float(Value)]).

%% As in measure.ts: repeats Batch, which does Size operations, until Ms have passed.
per_second(Ms, Size, Batch) ->
    {Operations, Ns} = repeat(Ms * 1000000, Size, Batch, erlang:monotonic_time(nanosecond), 0),
    Operations * 1.0e9 / Ns.

ns_each(Ms, Size, Batch) ->
    {Operations, Ns} = repeat(Ms * 1000000, Size, Batch, erlang:monotonic_time(nanosecond), 0),
    Ns / Operations.

repeat(LimitNs, Size, Batch, Started, Operations) ->
    Batch(),
    case erlang:monotonic_time(nanosecond) - Started of
        Ns when Ns < LimitNs -> repeat(LimitNs, Size, Batch, Started, Operations + Size);
        Ns -> {Operations + Size, Ns}
    end.

%% Median and 99th percentile of nanoseconds, as microseconds.
latency(SamplesNs) ->
    Sorted = list_to_tuple(lists:sort(SamplesNs)),
    At = fun(Q) -> element(1 + round((tuple_size(Sorted) - 1) * Q), Sorted) / 1000 end,
    {At(0.5), At(0.99)}.

%% 0..Size-1 in a fixed order that looks random.
shuffled(Size) ->
    S0 = rand:seed_s(exsss, 42),
    {Keyed, _} = lists:mapfoldl(fun(I, S) -> {K, S1} = rand:uniform_s(S), {{K, I}, S1} end, S0, lists:seq(0, Size - 1)),
    [I || {_, I} <- lists:sort(Keyed)].

bytes_in_use() ->
    [erlang:garbage_collect(P) || P <- processes()],
    erlang:memory(total).
