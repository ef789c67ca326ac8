/**
 * A supervision tree and a script of what happens to it, as plain data: the language that the real Erlang supervisor
 * (`erlang.ts`, `oracle.erl`) and Echelon (`runner.ts`) both understand.
 */
export interface OtpCase {
  readonly tree: TreeCase
  readonly steps: readonly Step[]
}

export type TreeCase = StaticTree | DynamicTree

export interface Flags {
  readonly id: string
  readonly intensity: number
  readonly periodS: number
  readonly autoShutdown: 'never' | 'any_significant' | 'all_significant'
}
export interface StaticTree extends Flags {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one'
  readonly children: readonly ChildCase[]
}
/** `simple_one_for_one`. Each child takes its name and script from the step that starts it. */
export interface DynamicTree extends Flags {
  readonly strategy: 'dynamic'
  readonly child: ChildCase
}

export type StartResult = 'ok' | 'fail' | 'ignore'
export interface ChildCase {
  readonly id: string
  readonly restart: 'permanent' | 'transient' | 'temporary'
  /** Milliseconds, or as OTP spells it. */
  readonly shutdown: number | 'infinity' | 'brutal_kill'
  readonly significant: boolean
  /** Result of the n-th start of this id, whoever starts it; `ok` past the end. */
  readonly script: readonly StartResult[]
  /** A worker, or a supervisor of the same id. */
  readonly runs: Worker | TreeCase
}
/** What it does when told to stop: obeys, never reacts, or crashes. */
export type Worker = 'plain' | 'stubborn' | 'failing'

export type ExitHow = 'normal' | 'shutdown' | 'shutdown(x)' | 'crash'

export type ExitStep =
  { readonly do: 'exit'; readonly id: string; readonly how: ExitHow } | { readonly do: 'kill'; readonly id: string }

/** A question to a supervisor. */
export type AskStep =
  | { readonly do: 'start_child'; readonly supervisor: string; readonly child: ChildCase }
  | {
      readonly do: 'start_dynamic'
      readonly supervisor: string
      readonly id: string
      readonly script: readonly StartResult[]
    }
  | {
      readonly do: 'terminate_child' | 'restart_child' | 'delete_child'
      readonly supervisor: string
      readonly id: string
    }
  | { readonly do: 'terminate_dynamic'; readonly supervisor: string; readonly id: string }
  | { readonly do: 'count_children'; readonly supervisor: string }

export type Step =
  | ExitStep
  | AskStep
  /** All exits happen, and all questions wait, before the supervisor looks at any of them. */
  | {
      readonly do: 'together'
      readonly supervisor: string
      readonly exits: readonly ExitStep[]
      readonly asks: readonly AskStep[]
    }
  /**
   * Whole seconds, from the beginning of one: OTP counts windows in those. Where stubborn children make a few
   * milliseconds pass, steps are multiples of 4 s, so that no restart is as old as a period, which is 2, 6 or 10 s.
   */
  | { readonly do: 'advance'; readonly ms: number }
  /** The parent of the root asks it to stop. */
  | { readonly do: 'stop' }

/** Ids of the dynamic supervisors that a case may come to have. */
export function dynamicSupervisors({ tree, steps }: OtpCase): ReadonlySet<string> {
  const trees = new Map<string, TreeCase>()
  const learn = (runs: ChildCase['runs']): void => {
    if (typeof runs !== 'object') return
    trees.set(runs.id, runs)
    if (runs.strategy !== 'dynamic') for (const child of runs.children) learn(child.runs)
  }
  learn(tree)
  for (const step of steps.flatMap((each): readonly Step[] => (each.do === 'together' ? each.asks : [each]))) {
    if (step.do === 'start_child') learn(step.child.runs)
    if (step.do !== 'start_dynamic') continue
    const under = trees.get(step.supervisor)
    if (under?.strategy === 'dynamic') learn(prefixed(step.id, under.child.runs))
  }
  return new Set([...trees.values()].filter(({ strategy }) => strategy === 'dynamic').map(({ id }) => id))
}

/** A subtree under a dynamic child of that name: each id begins with it. `oracle.erl` does the same. */
export function prefixed(name: string, runs: ChildCase['runs']): ChildCase['runs'] {
  if (typeof runs !== 'object') return runs
  if (runs.strategy === 'dynamic') return { ...runs, id: name }
  const children = runs.children.map((child) => {
    const id = `${name}.${child.id}`
    return { ...child, id, runs: prefixed(id, child.runs) }
  })
  return { ...runs, id: name, children }
}
