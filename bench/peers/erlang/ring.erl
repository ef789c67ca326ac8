%% 1,000 processes in a ring; one token {token, N} goes round until N is 0. A hop is one message.
-module(ring).
-export([raw/0]).

-define(MEMBERS, 1000).
-define(SIZE, 100000).

raw() ->
    Driver = self(),
    First = spawn_link(fun() -> receive {next, Next} -> member(Next, Driver) end end),
    Last = lists:foldl(fun(_, Next) -> spawn_link(fun() -> member(Next, Driver) end) end, First, lists:seq(2, ?MEMBERS)),
    First ! {next, Last},
    fun(Ms) ->
        bench_frame:per_second(Ms, ?SIZE, fun() -> First ! {token, ?SIZE - 1}, receive done -> ok end end)
    end.

member(Next, Driver) ->
    receive
        {token, 0} -> Driver ! done;
        {token, N} -> Next ! {token, N - 1}
    end,
    member(Next, Driver).
