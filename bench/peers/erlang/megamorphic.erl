%% 24 behaviours over 10,000 processes, one message to each in a fixed random order.
-module(megamorphic).
-export([raw/0]).

-define(ACTORS, 10000).
-define(BURST, 1000).

raw() ->
    Driver = self(),
    Left = atomics:new(1, []),
    Behaviours = list_to_tuple(behaviours()),
    Start = fun(N) ->
        Behaviour = element(1 + N rem tuple_size(Behaviours), Behaviours),
        spawn_link(fun() -> actor(Behaviour, 0, Left, Driver) end)
    end,
    Pids = list_to_tuple([Start(N) || N <- lists:seq(0, ?ACTORS - 1)]),
    Bursts = bursts([element(I + 1, Pids) || I <- bench_frame:shuffled(?ACTORS)]),
    fun(Ms) -> bench_frame:ns_each(Ms, ?ACTORS, fun() -> [burst(B, Left) || B <- Bursts] end) end.

bursts([]) -> [];
bursts(Order) -> {Burst, Rest} = lists:split(?BURST, Order), [Burst | bursts(Rest)].

burst(Pids, Left) ->
    atomics:put(Left, 1, ?BURST),
    [P ! {work, 3} || P <- Pids],
    receive done -> ok end.

actor(Behaviour, Total, Left, Driver) ->
    receive
        {work, By} ->
            Next = Behaviour(Total, By) band 16#ffff,
            case atomics:sub_get(Left, 1, 1) of
                0 -> Driver ! done;
                _ -> ok
            end,
            actor(Behaviour, Next, Left, Driver)
    end.

behaviours() ->
    [
        fun(Total, By) -> Total + By end,
        fun(Total, By) -> Total - By end,
        fun(Total, By) -> Total * By end,
        fun(Total, By) -> Total bxor By end,
        fun(Total, By) -> Total bor By end,
        fun(Total, By) -> Total + 2 * By end,
        fun(Total, By) -> Total - 2 * By end,
        fun(Total, By) -> By - Total end,
        fun(Total, By) -> Total + By * By end,
        fun(Total, By) -> (Total bsl 1) + By end,
        fun(Total, By) -> (Total bsr 1) + By end,
        fun(Total, By) -> max(Total, By) end,
        fun(Total, By) -> min(Total, By) end,
        fun(Total, By) -> Total * 3 + By end,
        fun(Total, By) -> Total * 5 - By end,
        fun(Total, By) -> (Total + By) bxor 21 end,
        fun(Total, By) -> (Total + By) * 2 end,
        fun(Total, _) -> Total + 1 end,
        fun(Total, _) -> Total - 1 end,
        fun(Total, By) -> Total + By + 7 end,
        fun(Total, By) -> Total * 7 + By end,
        fun(Total, By) -> (Total bxor 63) + By end,
        fun(Total, By) -> Total band 255 + By end,
        fun(Total, By) -> Total rem 97 + By end
    ].
