import {
  prefixed,
  type AskStep,
  type ChildCase,
  type ExitHow,
  type ExitStep,
  type Flags,
  type OtpCase,
  type StartResult,
  type Step,
  type TreeCase,
  type Worker,
} from './case.ts'

/**
 * Cases before their actors have names: what fast-check generates and shrinks. Whom a step means is a number that
 * chooses among what the tree turns out to have, so that any part can be dropped and the rest still makes sense.
 */
export interface RawChild {
  readonly restart: ChildCase['restart']
  readonly shutdown: 'infinity' | 'brutal_kill' | 'timeout' | 'short'
  readonly significant: boolean
  readonly script: readonly StartResult[]
  readonly runs: Worker | RawTree
}
export interface RawTree extends Omit<Flags, 'id'> {
  readonly strategy: TreeCase['strategy']
  readonly children: readonly RawChild[]
}
export interface RawAsk {
  readonly do: AskStep['do']
  readonly to: number
  readonly child: RawChild
}
export interface RawExit {
  readonly to: number
  readonly how: ExitHow | 'kill'
}
export type RawStep = { readonly at: number } & (
  | { readonly do: 'exit'; readonly exit: RawExit }
  | { readonly do: 'ask'; readonly ask: RawAsk }
  | { readonly do: 'together'; readonly exits: readonly RawExit[]; readonly asks: readonly RawAsk[] }
  | { readonly do: 'advance'; readonly seconds: number }
  | { readonly do: 'stop' }
)

/** Milliseconds for a stubborn child before it is killed; less for a supervisor that is not to outlast one. */
const stubbornMs = 30
const impatientMs = 10

/**
 * Below a dynamic child every id begins with its name, which its start functions here learn too late to decide by it:
 * there supervisors just start, and workers start or fail.
 */
const inTemplate = (child: RawChild): RawChild => {
  if (typeof child.runs !== 'object') return { ...child, script: child.script.filter((result) => result !== 'ignore') }
  return { ...child, script: [], runs: { ...child.runs, children: child.runs.children.map(inTemplate) } }
}

/** Gives names, and makes every step mean somebody. */
export function resolve(rawTree: RawTree, rawSteps: readonly RawStep[]): OtpCase {
  const names = new Names()
  const tree = nameTree(rawTree, 'root', names)
  names.learn(tree)
  const steps = rawSteps.map((step) => resolveStep(step, names)).filter((step) => step !== undefined)
  const added = steps.flatMap((step): readonly Step[] => (step.do === 'together' ? step.asks : [step]))
  const isExact = !hasStubborn(tree) && !added.some((step) => step.do === 'start_child' && isStubborn(step.child.runs))
  return { tree, steps: isExact ? steps : steps.map(clearOfEdges) }
}

const clearOfEdges = (step: Step): Step =>
  step.do === 'advance' ? { ...step, ms: Math.ceil(step.ms / 4_000) * 4_000 } : step

interface Known {
  readonly tree: TreeCase
  readonly childIds: string[]
  readonly workerIds: string[]
}

/** Ids so far: whom steps may mean. A dynamic child and what is below it count once it was asked for. */
class Names {
  readonly supervisors: Known[] = []
  readonly all: string[] = []
  #fresh = 0

  next(letter: string): string {
    this.#fresh += 1
    return `${letter}${this.#fresh}`
  }

  learn(tree: TreeCase): void {
    const known: Known = { tree, childIds: [], workerIds: [] }
    this.supervisors.push(known)
    if (tree.strategy !== 'dynamic') for (const { id, runs } of tree.children) this.learnChild(known, id, runs)
  }

  learnChild(under: Known, id: string, runs: ChildCase['runs']): void {
    under.childIds.push(id)
    this.all.push(id)
    if (typeof runs === 'object') this.learn(runs)
    else under.workerIds.push(id)
  }
}

function nameTree(raw: RawTree, id: string, names: Names): TreeCase {
  const isDynamic = raw.strategy === 'dynamic'
  const flags = { id, intensity: raw.intensity, periodS: raw.periodS, autoShutdown: raw.autoShutdown }
  const children = raw.children.map((child) => {
    const named = nameChild(isDynamic ? inTemplate(child) : child, names)
    // OTP refuses the rest. `start_child` tries it, to see it refused.
    const significant = child.significant && child.restart !== 'permanent' && raw.autoShutdown !== 'never'
    return { ...named, significant }
  })
  const [template] = children
  return raw.strategy === 'dynamic' && template !== undefined
    ? { ...flags, strategy: 'dynamic', child: template }
    : { ...flags, strategy: raw.strategy === 'dynamic' ? 'one_for_one' : raw.strategy, children }
}

function nameChild(raw: RawChild, names: Names, known?: string): ChildCase {
  const id = known ?? names.next(typeof raw.runs === 'object' ? 's' : 'w')
  const runs = typeof raw.runs === 'object' ? nameTree(raw.runs, id, names) : raw.runs
  return {
    id,
    restart: raw.restart,
    shutdown: shutdownOf(raw.shutdown, runs),
    significant: raw.significant,
    script: raw.script,
    runs,
  }
}

/** Nothing waits for ever for a stubborn child, and only whoever supervises a stubborn one can be impatient. */
function shutdownOf(shutdown: RawChild['shutdown'], runs: ChildCase['runs']): ChildCase['shutdown'] {
  if (shutdown === 'brutal_kill') return shutdown
  if (runs === 'stubborn') return stubbornMs
  if (shutdown === 'short') return isStubborn(runs) ? impatientMs : 'infinity'
  return shutdown === 'timeout' ? 5_000 : shutdown
}
const isStubborn = (runs: ChildCase['runs']): boolean =>
  typeof runs === 'object' ? hasStubborn(runs) : runs === 'stubborn'
const hasStubborn = (tree: TreeCase): boolean =>
  (tree.strategy === 'dynamic' ? [tree.child] : tree.children).some(({ runs }) => isStubborn(runs))

const choose = <T>(items: readonly T[], index: number): T | undefined => items[index % items.length]
const nobody = 'nobody'

function resolveStep(raw: RawStep, names: Names): Step | undefined {
  const supervisor = choose(names.supervisors, raw.at)
  if (supervisor === undefined) return undefined
  switch (raw.do) {
    case 'exit': {
      // Supervisors do not end when told so: only a kill can mean one.
      const workers = names.supervisors.flatMap(({ workerIds }) => workerIds)
      return resolveExit(raw.exit, raw.exit.how === 'kill' ? names.all : workers)
    }
    case 'ask':
      return resolveAsk(raw.ask, raw.at, supervisor, names)
    case 'together': {
      if (supervisor.workerIds.length === 0) return undefined
      const ends = raw.exits.map((exit) => resolveExit(exit, supervisor.workerIds))
      const exits = ends.filter(({ id }, index) => ends.findIndex((each) => each.id === id) === index) // nobody ends twice
      const asks = raw.asks
        .map((ask) => resolveAsk(ask, raw.at, supervisor, names))
        // The address of a dynamic child outlives it here and not in Erlang, so a question that waits may mean two things.
        .filter((ask) => ask?.supervisor === supervisor.tree.id && ask.do !== 'terminate_dynamic')
        .filter((ask) => ask !== undefined)
      return { do: 'together', supervisor: supervisor.tree.id, exits, asks }
    }
    case 'advance':
      return { do: 'advance', ms: raw.seconds * 1_000 }
    case 'stop':
      return { do: 'stop' }
    default:
      return raw satisfies never
  }
}

function resolveExit({ to, how }: RawExit, among: readonly string[]): ExitStep {
  const id = choose(among, to) ?? nobody
  return how === 'kill' ? { do: 'kill', id } : { do: 'exit', id, how }
}

function resolveAsk(raw: RawAsk, at: number, supervisor: Known, names: Names): AskStep | undefined {
  const { tree, childIds } = supervisor
  const isDynamic = tree.strategy === 'dynamic'
  switch (raw.do) {
    case 'start_child': {
      if (isDynamic) return startDynamic(raw, supervisor, names)
      // Mostly somebody new; a worker that is there is refused, one that was deleted comes back at the end.
      const known =
        raw.to % 3 === 0 && typeof raw.child.runs !== 'object' ? choose(supervisor.workerIds, raw.to) : undefined
      const child = nameChild(raw.child, names, known)
      if (known === undefined) names.learnChild(supervisor, child.id, child.runs)
      return { do: 'start_child', supervisor: tree.id, child }
    }
    case 'start_dynamic':
    case 'terminate_dynamic': {
      const dynamic = choose(
        names.supervisors.filter((each) => each.tree.strategy === 'dynamic'),
        at,
      )
      if (dynamic === undefined) return undefined
      if (raw.do === 'start_dynamic') return startDynamic(raw, dynamic, names)
      const id = choose(dynamic.childIds, raw.to)
      return id === undefined ? undefined : { do: raw.do, supervisor: dynamic.tree.id, id }
    }
    case 'terminate_child':
    case 'restart_child':
    case 'delete_child': {
      const id = raw.to === 11 ? undefined : choose(childIds, raw.to)
      return isDynamic ? undefined : { do: raw.do, supervisor: tree.id, id: id ?? nobody }
    }
    case 'count_children':
      return { do: raw.do, supervisor: tree.id }
    default:
      return raw.do satisfies never
  }
}

function startDynamic(raw: RawAsk, under: Known, names: Names): AskStep | undefined {
  if (under.tree.strategy !== 'dynamic') return undefined
  const id = names.next('d')
  names.learnChild(under, id, prefixed(id, under.tree.child.runs))
  // A dynamic child whose restart answers `ignore` later crashes its supervisor in OTP 25: a bug, and no rule to copy.
  const script = raw.child.script.map((result, start) => (start > 0 && result === 'ignore' ? 'ok' : result))
  return { do: 'start_dynamic', supervisor: under.tree.id, id, script }
}
