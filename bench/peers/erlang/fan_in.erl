%% Eight processes send to one that adds up; when it has them all, the next batch begins.
%% `raw` sends 500 from each, as the other subjects do, `many` 20,000: mailboxes here have no bound.
-module(fan_in).
-export([raw/0, many/0]).

-define(SENDERS, 8).

raw() -> start(500).
many() -> start(20000).

start(Each) ->
    Driver = self(),
    Size = ?SENDERS * Each,
    Sink = spawn_link(fun() -> sink(Driver, 0, Size) end),
    Senders = [spawn_link(fun() -> sender(Sink) end) || _ <- lists:seq(1, ?SENDERS)],
    fun(Ms) ->
        bench_frame:per_second(Ms, Size, fun() ->
            [Sender ! {send, Each} || Sender <- Senders],
            receive done -> ok end
        end)
    end.

sink(Driver, Total, Size) when Total >= Size ->
    Driver ! done,
    sink(Driver, 0, Size);
sink(Driver, Total, Size) ->
    receive {add, By} -> sink(Driver, Total + By, Size) end.

sender(Sink) ->
    receive {send, Count} -> burst(Sink, Count) end,
    sender(Sink).

burst(_, 0) -> ok;
burst(Sink, N) -> Sink ! {add, 1}, burst(Sink, N - 1).
