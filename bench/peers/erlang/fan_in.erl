%% Eight processes send to one, in bursts of 100, and a message to themselves between two bursts.
%% Only what the one receives is counted. `at_once` sends everything in one loop instead.
-module(fan_in).
-export([raw/0, at_once/0]).

-define(SENDERS, 8).
-define(BURST, 100).
-define(EACH, 20000).

raw() -> start(fun sender/1).
at_once() -> start(fun eager/1).

start(Sender) ->
    Driver = self(),
    Sink = spawn_link(fun() -> sink(Driver, 0) end),
    Senders = [spawn_link(fun() -> Sender(Sink) end) || _ <- lists:seq(1, ?SENDERS)],
    fun(Ms) ->
        bench_frame:per_second(Ms, ?SENDERS * ?EACH, fun() ->
            [S ! {send, ?EACH} || S <- Senders],
            receive done -> ok end
        end)
    end.

sink(Driver, ?SENDERS * ?EACH) -> Driver ! done, sink(Driver, 0);
sink(Driver, Count) ->
    receive {add, By} -> sink(Driver, Count + By) end.

sender(Sink) ->
    receive
        {send, 0} -> ok;
        {send, Left} -> burst(Sink, ?BURST), self() ! {send, Left - ?BURST}
    end,
    sender(Sink).

eager(Sink) ->
    receive {send, Left} -> burst(Sink, Left) end,
    eager(Sink).

burst(_, 0) -> ok;
burst(Sink, N) -> Sink ! {add, 1}, burst(Sink, N - 1).
