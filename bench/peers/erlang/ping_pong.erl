%% Two processes, one ball. A round trip is {ping, From, N} there and {pong, N} back.
-module(ping_pong).
-export([raw/0]).

-define(SIZE, 100000).

raw() ->
    Driver = self(),
    Pong = spawn_link(fun pong/0),
    Ping = spawn_link(fun() -> ping(Pong, Driver) end),
    fun(Ms) ->
        bench_frame:per_second(Ms, ?SIZE, fun() -> Ping ! {serve, ?SIZE}, receive done -> ok end end)
    end.

ping(Pong, Driver) ->
    receive
        {serve, N} -> Pong ! {ping, self(), N - 1};
        {pong, 0} -> Driver ! done;
        {pong, N} -> Pong ! {ping, self(), N - 1}
    end,
    ping(Pong, Driver).

pong() ->
    receive {ping, From, N} -> From ! {pong, N} end,
    pong().
