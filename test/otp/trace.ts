/** What one side saw of a case: the start of the tree, then one entry per step. */
export type Trace = readonly Entry[]

export interface Entry {
  /** Of the step: `ok`, `skipped` (its target was not there), or what the supervisor answered. */
  readonly answer: string
  readonly events: readonly TraceEvent[]
  /** Every living supervisor after the step, by id. */
  readonly state: readonly SupervisorState[]
}

export interface TraceEvent {
  /** The incarnation of a supervisor to which the child belongs: `root#1`; empty for the root itself. */
  readonly owner: string
  readonly kind: EventKind
  readonly id: string
  /** `normal`, `shutdown`, `shutdown(x)`, `crash`, `killed`, `failed_to_start(id)`, or empty. */
  readonly reason: string
  /** Virtual milliseconds since the case began, where time is virtual. */
  readonly atMs?: number
}

/**
 * `start`, `start_failed`, `start_ignored`: how a start of a worker went, or a scripted start of a supervisor that
 * began nothing. `sup_start`: a supervisor begins, before its children. `stop`: a worker obeys the stop signal.
 * `ignores_signal`: it does not. `exits`: it ends by itself. `killed`: it is gone without a word.
 * `sup_exit`: a supervisor is gone, after its children. Of supervisors the id is that of the incarnation, `root#1`.
 */
export type EventKind =
  | 'start'
  | 'start_failed'
  | 'start_ignored'
  | 'sup_start'
  | 'stop'
  | 'ignores_signal'
  | 'exits'
  | 'killed'
  | 'sup_exit'
  | 'orphaned'

export interface SupervisorState {
  readonly id: string
  /** In the order of `supervisor:which_children`: last started first; dynamic children by name. */
  readonly children: readonly (readonly [id: string, status: string])[]
  /** specs, active, supervisors, workers. */
  readonly counts: readonly number[]
}

/**
 * The trace as text, one line per event, in a form that equal behaviour makes equal.
 *
 * The order of a trace is the order of what happened, with two exceptions where OTP promises none:
 *
 * 1. The children of a dynamic supervisor stop in parallel: what they answer in a row is sorted.
 * 2. After a supervisor was killed, its orphans end while its parent restarts it; and subtrees of a dynamic supervisor
 *    stop in parallel. The events of such a step are taken apart by owner: each supervisor incarnation keeps its order.
 *    How a child ends that outlived its supervisor is its own affair: it is `orphaned`, and those are sorted.
 */
export function canonical(trace: Trace, isDynamic: (supervisorId: string) => boolean): readonly string[] {
  return trace.flatMap((entry, step) => [
    `${step === 0 ? 'start' : `step ${step}`}: ${entry.answer}`,
    ...canonicalEvents(entry.events, isDynamic).map((event) => `  ${describe(event)}`),
    ...entry.state.map((supervisor) => `  = ${describeState(supervisor, isDynamic(supervisor.id))}`),
  ])
}

/**
 * The trace for reading: one line per step (`answer | event, event`; an answer of `ok` is left out), then the state at
 * the end, one line per living supervisor.
 */
export function brief(trace: Trace, isDynamic: (supervisorId: string) => boolean): readonly string[] {
  const steps = trace.map(({ answer, events }) => {
    const said = canonicalEvents(events, isDynamic).map((event) => describe({ ...event, owner: '' }))
    const told = [answer === 'ok' ? '' : answer, said.join(', ')].filter((part) => part !== '')
    return `  ${told.length === 0 ? 'ok' : told.join(' | ')}`
  })
  const state = trace.at(-1)?.state ?? []
  return [...steps, ...state.map((supervisor) => `= ${describeState(supervisor, isDynamic(supervisor.id))}`)]
}

const describe = ({ owner, kind, id, reason }: TraceEvent): string =>
  [`${kind} ${id}`, reason, owner === '' ? '' : `(${owner})`].filter((part) => part !== '').join(' ')

const describeState = ({ id, children, counts }: SupervisorState, unordered: boolean): string => {
  const shown = children.map(([child, status]) => `${child}:${status}`)
  return `${id} [${(unordered ? shown.sort() : shown).join(' ')}] ${counts.join('/')}`
}

const supervisorOf = (owner: string): string => owner.slice(0, owner.lastIndexOf('#'))
const partings: readonly EventKind[] = ['stop', 'ignores_signal', 'killed', 'sup_exit']

function canonicalEvents(
  events: readonly TraceEvent[],
  isDynamic: (supervisorId: string) => boolean,
): readonly TraceEvent[] {
  const inParallel = ({ owner, kind }: TraceEvent): boolean => partings.includes(kind) && isDynamic(supervisorOf(owner))
  const exits = events.filter(({ kind }) => kind === 'sup_exit')
  const killed = new Set(exits.filter(({ reason }) => reason === 'killed').map(({ id }) => id))
  if (killed.size === 0 && !exits.some(inParallel)) return sortRuns(events, inParallel)
  const byOwner = Map.groupBy(events, ({ owner }) => owner)
  return [...byOwner.keys()].sort().flatMap((owner) => {
    const own = sortRuns(byOwner.get(owner) ?? [], inParallel)
    return killed.has(owner) ? orphansLast(own) : own
  })
}

/** Of each child that outlived its supervisor only this is said: that it did. */
function orphansLast(events: readonly TraceEvent[]): readonly TraceEvent[] {
  const isOrphan = ({ kind, reason }: TraceEvent): boolean => partings.includes(kind) && reason === 'killed'
  const isDeaf = ({ id }: TraceEvent): boolean =>
    events.some((event) => event.kind === 'ignores_signal' && event.id === id)
  const orphans = new Map<string, TraceEvent>()
  for (const event of events.filter(isOrphan)) {
    // Who ignores signals is alone for ever in Erlang, and is killed here in the end.
    if (event.kind !== 'killed' || !isDeaf(event)) orphans.set(event.id, { ...event, kind: 'orphaned', reason: '' })
  }
  const inOrder = [...orphans.keys()].sort().flatMap((id) => orphans.get(id) ?? [])
  return [...events.filter((event) => !isOrphan(event)), ...inOrder]
}

/**
 * Sorts each longest run of neighbours of one owner for which `loose` holds, and leaves the rest where it is. Who is
 * killed for being slow is so after all have answered, so these are runs of their own.
 */
function sortRuns(events: readonly TraceEvent[], loose: (event: TraceEvent) => boolean): readonly TraceEvent[] {
  const sorted: TraceEvent[] = []
  let run: TraceEvent[] = []
  const endRun = (): void => {
    sorted.push(...run.sort((a, b) => (describe(a) < describe(b) ? -1 : 1)))
    run = []
  }
  for (const event of events) {
    const [before] = run
    const goesOn = before?.owner === event.owner && (before.kind === 'killed') === (event.kind === 'killed')
    if (!loose(event) || !goesOn) endRun()
    if (loose(event)) run.push(event)
    else sorted.push(event)
  }
  endRun()
  return sorted
}
