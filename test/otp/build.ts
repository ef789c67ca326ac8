import type { AskStep, ChildCase, ExitHow, ExitStep, Flags, StartResult, StaticTree, Step, TreeCase } from './case.ts'

/** Cases by hand: OTP's defaults where nothing is said, apart from an intensity that leaves room. */
const flags = { id: 'root', intensity: 3, periodS: 3_600, autoShutdown: 'never' } as const

type Given<T> = Partial<Omit<T, 'id' | 'strategy' | 'children'>> & { readonly id?: string }

export const tree =
  (strategy: StaticTree['strategy']) =>
  (given: Given<Flags>, ...children: readonly ChildCase[]): StaticTree => ({ ...flags, ...given, strategy, children })

export const oneForOne = tree('one_for_one')
export const oneForAll = tree('one_for_all')
export const restForOne = tree('rest_for_one')

/** A dynamic supervisor whose children are workers on these terms. */
export const dynamic = (given: Given<Flags> = {}, child: Given<ChildCase> = {}): TreeCase => ({
  ...flags,
  ...given,
  strategy: 'dynamic',
  child: worker('template', child),
})

export const worker = (id: string, given: Given<ChildCase> = {}): ChildCase => ({
  id,
  restart: 'permanent',
  shutdown: 1_000,
  significant: false,
  script: [],
  runs: 'plain',
  ...given,
})

/** A supervisor as a child. */
export const nested = (runs: TreeCase, given: Given<ChildCase> = {}): ChildCase =>
  worker(runs.id, { shutdown: 'infinity', runs, ...given })

export const exit = (id: string, how: ExitHow): ExitStep => ({ do: 'exit', id, how })
export const crash = (id: string): ExitStep => exit(id, 'crash')
export const kill = (id: string): ExitStep => ({ do: 'kill', id })
export const advance = (ms: number): Step => ({ do: 'advance', ms })
export const stop: Step = { do: 'stop' }

export const startChild = (child: ChildCase, supervisor = 'root'): AskStep => ({ do: 'start_child', supervisor, child })
export const startDynamic = (id: string, script: readonly StartResult[] = [], supervisor = 'root'): AskStep => ({
  do: 'start_dynamic',
  supervisor,
  id,
  script,
})
const about =
  (what: 'terminate_child' | 'restart_child' | 'delete_child' | 'terminate_dynamic') =>
  (id: string, supervisor = 'root'): AskStep => ({ do: what, supervisor, id })
export const terminateChild = about('terminate_child')
export const restartChild = about('restart_child')
export const deleteChild = about('delete_child')
export const terminateDynamic = about('terminate_dynamic')
export const countChildren = (supervisor = 'root'): AskStep => ({ do: 'count_children', supervisor })
export const together = (exits: readonly ExitStep[], asks: readonly AskStep[], supervisor = 'root'): Step => ({
  do: 'together',
  supervisor,
  exits,
  asks,
})
