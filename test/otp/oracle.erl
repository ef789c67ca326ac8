%% Drives the REAL Erlang/OTP `supervisor` through scripted cases and prints what it decided.
%%
%% Protocol (latin1 lines; file descriptor 3 in, 4 out): one case in, one answer out, in any order.
%%   in:   {Number, Engine, Tree, Steps}.
%%   out:  Number \t JSON      [{"answer": _, "events": [[owner, kind, id, reason]], "state": [...]}, ...]
%% The first entry is the start of the tree, then one entry per step. `erlang.ts` renders the terms and reads the answer.
%%
%%   Tree  = {one_for_one | one_for_all | rest_for_one, Id, Intensity, PeriodSeconds, AutoShutdown, [Child]}
%%         | {dynamic, Id, Intensity, PeriodSeconds, AutoShutdown, Child}
%%   Child = {Id, Restart, Shutdown, Significant, Script, plain | stubborn | failing | Tree}
%%   Script = [ok | fail | ignore]: result of the n-th start; past its end every start is ok
%%
%% Engine `real` runs OTP's module untouched. Engine `clocked` runs a copy made from OTP's own abstract code, in which
%% the one call that reads the time, erlang:monotonic_time(1), asks the clock of the case instead: intensity windows are
%% crossed exactly and without sleeping. Nothing else differs.
%%
%% One scheduler (+S 1:1) makes the order of signals, and so each trace, a function of the case.
-module(oracle).
-behaviour(supervisor).
-export([main/0, init/1, start_child/2, start_dynamic/3, worker/4, seconds/0]).

main() ->
  logger:set_primary_config(level, none),
  clocked_supervisor(),
  Port = open_port({fd, 3, 4}, [{line, 16#100000}, binary, eof]),
  io_lines(Port, <<>>).

io_lines(Port, Begun) ->
  receive
    {Port, {data, {noeol, Part}}} -> io_lines(Port, <<Begun/binary, Part/binary>>);
    {Port, {data, {eol, Part}}} ->
      Self = self(),
      Line = <<Begun/binary, Part/binary>>,
      spawn(fun() -> Self ! {answer, run_line(Line)} end),
      io_lines(Port, <<>>);
    {answer, Text} -> port_command(Port, Text), io_lines(Port, Begun);
    {Port, eof} -> halt(0)
  end.

run_line(Line) ->
  {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
  {ok, {Number, Engine, Tree, Steps}} = erl_parse:parse_term(Tokens),
  Answer = try run_case(Engine, Tree, Steps)
           catch Class:Reason:Stack -> quote(io_lib:format("~0p ~0p ~0p", [Class, Reason, Stack]))
           end,
  [integer_to_list(Number), $\t, Answer, $\n].

%% The copy of OTP's supervisor that asks the case for the time.
clocked_supervisor() ->
  {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(code:which(supervisor), [abstract_code]),
  {ok, clocked, Beam} = compile:forms([clocked(F) || F <- Forms], []),
  {module, clocked} = code:load_binary(clocked, "clocked", Beam).

clocked({attribute, L, module, supervisor}) -> {attribute, L, module, clocked};
clocked({call, L, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, [{integer, _, 1}]}) ->
  {call, L, {remote, L, {atom, L, ?MODULE}, {atom, L, seconds}}, []};
clocked({call, L, {remote, _, {atom, _, gen_server}, {atom, _, start_link}} = Start, Args}) ->
  {call, L, Start, [case A of {atom, La, supervisor} -> {atom, La, clocked}; _ -> clocked(A) end || A <- Args]};
clocked(T) when is_tuple(T) -> list_to_tuple(clocked(tuple_to_list(T)));
clocked([H | T]) -> [clocked(H) | clocked(T)];
clocked(X) -> X.

seconds() -> atomics:get(get(clock), 1) div 1000.

%% ---------------------------------------------------------------- the tree under test
%% Runs in the supervisor: its dictionary tells the start functions whose child they start.
init({Collector, Engine, Clock, Owner, Tree}) ->
  put(collector, Collector), put(engine, Engine), put(clock, Clock),
  put(instance, call(Collector, {supervisor, Owner, element(2, Tree), self()})),
  case Tree of
    {dynamic, _, Intensity, Period, Auto, {_, Restart, Shutdown, Significant, _, Kind} = Template} ->
      {ok, {flags(simple_one_for_one, Intensity, Period, Auto),
            [spec(template, Restart, Shutdown, Significant, Kind, {?MODULE, start_dynamic, [Template]})]}};
    {Strategy, _, Intensity, Period, Auto, Children} ->
      {ok, {flags(Strategy, Intensity, Period, Auto), [spec(C) || C <- Children]}}
  end.

flags(Strategy, Intensity, Period, Auto) ->
  #{strategy => Strategy, intensity => Intensity, period => Period, auto_shutdown => Auto}.

spec({Id, Restart, Shutdown, Significant, Script, Kind}) ->
  spec(Id, Restart, Shutdown, Significant, Kind, {?MODULE, start_child, [{Id, Kind}, Script]}).
spec(Id, Restart, Shutdown, Significant, Kind, Start) ->
  Type = case is_tuple(Kind) of true -> supervisor; false -> worker end,
  #{id => Id, restart => Restart, shutdown => Shutdown, significant => Significant, type => Type, start => Start}.

%% A dynamic child answers to its own name; inside a dynamic subtree each name is prefixed with it.
start_dynamic({_, _, _, _, _, Kind}, Name, Script) -> start_child({Name, prefixed(Name, Kind)}, Script).

prefixed(Name, {dynamic, _, I, P, A, Template}) -> {dynamic, Name, I, P, A, Template};
prefixed(Name, {Strategy, _, I, P, A, Children}) -> {Strategy, Name, I, P, A, [prefix(Name, C) || C <- Children]};
prefixed(_, Leaf) -> Leaf.
prefix(Name, {Id, R, S, G, Script, Kind}) ->
  Full = <<Name/binary, $., Id/binary>>,
  {Full, R, S, G, Script, prefixed(Full, Kind)}.

start_child({Id, Kind}, Script) ->
  {Collector, Owner} = {get(collector), get(instance)},
  case nth_result(call(Collector, {attempt, Id}), Script) of
    fail -> call(Collector, {event, Owner, start_failed, Id, ""}), {error, nope};
    ignore -> call(Collector, {event, Owner, start_ignored, Id, ""}), ignore;
    ok when is_tuple(Kind) ->
      (get(engine)):start_link(?MODULE, {Collector, get(engine), get(clock), Owner, Kind});
    ok ->
      {ok, Pid} = proc_lib:start_link(?MODULE, worker, [Collector, Owner, Id, Kind]),
      call(Collector, {worker, Owner, Id, Pid}),
      {ok, Pid}
  end.

nth_result(N, Script) when N =< length(Script) -> lists:nth(N, Script);
nth_result(_, _) -> ok.

worker(Collector, Owner, Id, Kind) ->
  process_flag(trap_exit, true),
  proc_lib:init_ack({ok, self()}),
  receive
    {'EXIT', _, R} when Kind =:= stubborn ->
      Collector ! {said, self(), Owner, ignores_signal, Id, reason(R)},
      receive never -> never end;
    {'EXIT', _, R} ->
      Collector ! {said, self(), Owner, stop, Id, reason(R)},
      exit(case Kind of plain -> R; failing -> boom end);
    {exit, R} -> Collector ! {said, self(), Owner, exits, Id, reason(R)}, exit(R)
  end.

%% ---------------------------------------------------------------- the collector: one trace, who is alive
-record(proc, {id, kind, instance, owner, alive = true, said = false}).
-record(book, {events = [], count = 0, procs = #{}, latest = #{}, attempts = #{}}).

collector(Book) ->
  receive
    {call, From, Ref, Request} ->
      {Reply, Next} = answer(Request, Book),
      From ! {Ref, Reply},
      collector(Next);
    {said, Pid, Owner, Kind, Id, Reason} ->
      #{Pid := P} = Book#book.procs,
      Procs = (Book#book.procs)#{Pid := P#proc{said = Kind}},
      collector(event(Owner, Kind, Id, Reason, Book#book{procs = Procs}));
    {'DOWN', _, process, Pid, Why} ->
      #{Pid := P} = Book#book.procs,
      Next = Book#book{procs = (Book#book.procs)#{Pid := P#proc{alive = false}}},
      collector(case P of
        #proc{kind = supervisor} -> event(P#proc.owner, sup_exit, P#proc.instance, reason(Why), Next);
        #proc{said = Said} when Said =:= stop; Said =:= exits -> Next;
        _ -> event(P#proc.owner, killed, P#proc.id, reason(Why), Next)
      end);
    finish ->
      [exit(Pid, kill) || {Pid, #proc{alive = true}} <- maps:to_list(Book#book.procs)]
  end.

answer({attempt, Id}, B) ->
  N = maps:get(Id, B#book.attempts, 0) + 1,
  {N, B#book{attempts = (B#book.attempts)#{Id => N}}};
answer({event, Owner, Kind, Id, Reason}, B) -> {ok, event(Owner, Kind, Id, Reason, B)};
answer({worker, Owner, Id, Pid}, B) ->
  {ok, event(Owner, start, Id, "", enlist(Pid, #proc{id = Id, kind = worker, owner = Owner}, B))};
answer({supervisor, Owner, Id, Pid}, B) ->
  N = length([1 || #proc{kind = supervisor, id = I} <- maps:values(B#book.procs), I =:= Id]) + 1,
  Instance = iolist_to_binary([Id, $#, integer_to_list(N)]),
  P = #proc{id = Id, kind = supervisor, instance = Instance, owner = Owner},
  {Instance, event(Owner, sup_start, Instance, "", enlist(Pid, P, B))};
answer(count, B) -> {B#book.count, B};
answer(take, B) -> {lists:reverse(B#book.events), B#book{events = []}};
answer(supervisors, B) ->
  {[{Pid, P#proc.id} || {Pid, P = #proc{kind = supervisor, alive = true}} <- maps:to_list(B#book.procs)], B};
%% Orphans that still have to notice that their supervisor is dead.
answer(orphans, B) ->
  Dead = [P#proc.instance || P = #proc{kind = supervisor, alive = false} <- maps:values(B#book.procs)],
  {[Pid || {Pid, #proc{alive = true, said = false, owner = O}} <- maps:to_list(B#book.procs), lists:member(O, Dead)], B};
answer({live, Id}, B) ->
  {case B#book.latest of
     #{Id := Pid} ->
       case maps:get(Pid, B#book.procs) of #proc{alive = true, said = false} -> Pid; _ -> none end;
     _ -> none
   end, B};
answer({name, Pid}, B) -> #{Pid := P} = B#book.procs, {P#proc.id, B}.

enlist(Pid, P, B) ->
  monitor(process, Pid),
  B#book{procs = (B#book.procs)#{Pid => P}, latest = (B#book.latest)#{P#proc.id => Pid}}.

event(Owner, Kind, Id, Reason, B) ->
  B#book{events = [{Owner, Kind, Id, Reason} | B#book.events], count = B#book.count + 1}.

call(Collector, Request) ->
  Ref = monitor(process, Collector),
  Collector ! {call, self(), Ref, Request},
  receive {Ref, Reply} -> demonitor(Ref, [flush]), Reply; {'DOWN', Ref, _, _, _} -> exit(finished) end.

%% ---------------------------------------------------------------- one case
run_case(Engine, Tree, Steps) ->
  process_flag(trap_exit, true),
  Clock = atomics:new(1, []),
  Collector = spawn(fun() -> collector(#book{}) end),
  Module = case Engine of real -> supervisor; clocked -> clocked end,
  Started = case Module:start_link(?MODULE, {Collector, Module, Clock, <<>>, Tree}) of
    {ok, _} -> "ok";
    {error, Why} -> reason(Why)
  end,
  First = entry(Collector, Started),
  Rest = [entry(Collector, step(Collector, Clock, element(2, Tree), S)) || S <- Steps],
  Collector ! finish,
  [$[, lists:join($,, [First | Rest]), $]].

entry(Collector, Answer) ->
  settle(Collector, 0, call(Collector, count)),
  Events = call(Collector, take),
  Supervisors = lists:keysort(2, call(Collector, supervisors)),
  ["{\"answer\":", quote(Answer),
   ",\"events\":", array([array([quote(Owner), quote(atom_to_list(Kind)), quote(Id), quote(Reason)])
                          || {Owner, Kind, Id, Reason} <- Events]),
   ",\"state\":", array([state(Collector, S) || S <- Supervisors]), "}"].

%% Quiet: nothing was traced while each living supervisor answered two calls in a row, and no orphan is left to notice.
settle(_, 2, _) -> ok;
settle(Collector, Quiet, Before) ->
  [catch gen_server:call(Pid, which_children, infinity) || {Pid, _} <- call(Collector, supervisors)],
  Orphans = call(Collector, orphans),
  [await_down(Pid) || Pid <- Orphans, is_supervisor(Collector, Pid)],
  case call(Collector, count) of
    Before when Orphans =:= [] -> settle(Collector, Quiet + 1, Before);
    Count -> erlang:yield(), settle(Collector, 0, Count)
  end.

is_supervisor(Collector, Pid) -> lists:keymember(Pid, 1, call(Collector, supervisors)).

await_down(Pid) ->
  Ref = monitor(process, Pid),
  receive {'DOWN', Ref, _, _, _} -> ok end.

state(Collector, {Pid, Id}) ->
  Children = [{case I of undefined when is_pid(P) -> call(Collector, {name, P}); _ -> I end, P}
              || {I, P, _, _} <- supervisor:which_children(Pid)],
  Counts = [integer_to_list(N) || {_, N} <- supervisor:count_children(Pid)],
  ["{\"id\":", quote(Id),
   ",\"children\":", array([array([quote(child_id(I)), quote(status(P))]) || {I, P} <- Children]),
   ",\"counts\":", array(Counts), "}"].

child_id(undefined) -> "?";
child_id(Id) -> Id.
status(undefined) -> "stopped";
status(restarting) -> "restarting";
status(P) when is_pid(P) -> "running".

step(C, _, _, {exit, Id, Reason}) -> on_live(C, Id, fun(Pid) -> Pid ! {exit, Reason}, await_down(Pid) end);
step(C, _, _, {kill, Id}) -> on_live(C, Id, fun(Pid) -> exit(Pid, kill), await_down(Pid) end);
%% Some children end, and questions wait, before their supervisor looks at any of that.
step(C, Clock, Root, {together, Id, Exits, Asks}) ->
  case call(C, {live, Id}) of
    none -> "skipped";
    Pid ->
      sys:suspend(Pid),
      Ended = [step(C, Clock, Root, E) || E <- Exits],
      Asked = [gen_server:send_request(Pid, request(A)) || A <- Asks],
      sys:resume(Pid),
      Answers = [case gen_server:receive_response(R, infinity) of {reply, A} -> admin_answer(A); _ -> "noproc" end
                 || R <- Asked],
      lists:join($+, Ended ++ Answers)
  end;
step(_, Clock, _, {advance, Ms}) -> atomics:add(Clock, 1, Ms), "ok";
step(C, _, Root, stop) -> on_live(C, Root, fun(Pid) -> exit(Pid, shutdown), await_down(Pid) end);
step(C, _, _, {terminate_dynamic, Id, Name}) ->
  case call(C, {live, Name}) of
    none -> "skipped";
    Pid -> ask(C, Id, {terminate_child, Pid})
  end;
step(C, _, _, Ask) -> ask(C, element(2, Ask), request(Ask)).

%% What supervisor:start_child/2 and its like send.
request({start_child, _, Child}) -> {start_child, spec(Child)};
request({start_dynamic, _, Name, Script}) -> {start_child, [Name, Script]};
request({count_children, _}) -> count_children;
request({Ask, _, Child}) -> {Ask, Child}.

ask(C, Id, Request) ->
  case call(C, {live, Id}) of
    none -> "noproc";
    Pid -> try admin_answer(gen_server:call(Pid, Request, infinity)) catch exit:_ -> "noproc" end
  end.

on_live(C, Id, Do) ->
  case call(C, {live, Id}) of none -> "skipped"; Pid -> Do(Pid), "ok" end.

admin_answer(ok) -> "ok";
admin_answer({ok, undefined}) -> "ignored";
admin_answer({ok, _}) -> "ok";
admin_answer({error, {already_started, _}}) -> "already_started";
admin_answer({error, {bad_combination, _}}) -> "bad_combination";
admin_answer({error, {Why, Child}}) when element(1, Child) =:= child, Why =/= bad_combination -> "start_failed";
admin_answer({error, nope}) -> "start_failed";
admin_answer({error, {shutdown, {failed_to_start_child, _, _}}}) -> "start_failed";
admin_answer({error, Why}) when is_atom(Why) -> atom_to_list(Why);
admin_answer([{specs, _} | _] = Counts) -> lists:join($/, [integer_to_list(N) || {_, N} <- Counts]);
admin_answer(Other) -> io_lib:format("~0p", [Other]).

reason(boom) -> "crash";
reason(R) when is_atom(R) -> atom_to_list(R);
reason({shutdown, {failed_to_start_child, Id, _}}) -> ["failed_to_start(", Id, ")"];
reason({shutdown, Detail}) when is_atom(Detail) -> ["shutdown(", atom_to_list(Detail), ")"];
reason(R) -> io_lib:format("~0p", [R]).

%% ---------------------------------------------------------------- JSON
array(Items) -> [$[, lists:join($,, Items), $]].
quote(Text) -> [$", [case C of $" -> "\\\""; $\\ -> "\\\\"; _ when C < 32 -> $\s; _ -> C end
                      || C <- unicode:characters_to_list(Text)], $"].
