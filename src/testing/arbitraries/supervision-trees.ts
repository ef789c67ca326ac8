import type { Arbitrary } from 'fast-check'
import type { Shutdown } from '../../actors/child-rules.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import type { RestartType } from '../../supervisors/child-spec.ts'
import type { Intensity } from '../../supervisors/restart-intensity.ts'
import { autoShutdowns, strategies, type AutoShutdown, type Strategy } from '../../supervisors/strategy.ts'
import { fastCheck } from '../fast-check.ts'

/** A supervision tree as plain data: `buildTree` makes actors of it. */
export interface TreeSpec {
  readonly kind: 'supervisor'
  readonly strategy: Strategy
  readonly intensity: Intensity
  readonly autoShutdown: AutoShutdown
  readonly children: readonly ChildNode[]
}

export interface WorkerSpec {
  readonly kind: 'worker'
  readonly behaviour: Behaviour
}

/** What a worker does beside its work. `nth` counts messages of one incarnation, or starts of all of them, from 1. */
export type Behaviour =
  | { readonly kind: 'steady' }
  | { readonly kind: 'crash-on-message'; readonly nth: number }
  | { readonly kind: 'crash-in-start'; readonly nth: number }
  /** When it is told to stop it goes on, until it is killed. */
  | { readonly kind: 'ignore-stop' }

export interface ChildNode {
  /** Unique among its siblings: `a`, `b`, `c`. */
  readonly id: string
  readonly restart: RestartType
  readonly significant: boolean
  readonly shutdown: Shutdown
  readonly runs: TreeSpec | WorkerSpec
}

/** Something that happens to one actor of a tree: its worker is told to work or to end, or the actor is killed. */
export interface CrashStep {
  /** Time since the step before. */
  readonly afterMs: number
  /** Ids of children, from the root down. */
  readonly path: readonly string[]
  readonly how: CrashHow
}
export type CrashHow = 'work' | 'crash' | 'normal' | 'shutdown' | 'kill'

export interface TreesOptions {
  /** Supervisors above each other, at most. Default 3. */
  readonly maxDepth?: number
  /** Default 4. */
  readonly maxChildren?: number
}

/**
 * Any supervision tree that OTP would accept: a significant child is not permanent, and its supervisor heeds it; what
 * ignores a stop is killed after a time. The first start of every worker succeeds, so that the tree can be started.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID`
 */
export function supervisionTrees({ maxDepth = 3, maxChildren = 4 }: TreesOptions = {}): Arbitrary<TreeSpec> {
  for (const [name, bound] of Object.entries({ maxDepth, maxChildren }))
    if (!Number.isSafeInteger(bound) || bound < 1 || bound > 26)
      throw new DefinitionInvalidError(`supervisionTrees.${name}`, `${bound} is not an integer from 1 to 26`)
  return treeOf(maxDepth, maxChildren)
}

function treeOf(levels: number, maxChildren: number): Arbitrary<TreeSpec> {
  const fc = fastCheck()
  const leaf = workerOf()
  const child =
    levels === 1
      ? leaf
      : fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 1, arbitrary: treeOf(levels - 1, maxChildren) })
  return fc
    .record({
      strategy: fc.constantFrom(...strategies),
      restarts: fc.integer({ min: 0, max: 5 }),
      withinMs: fc.constantFrom(1_000, 5_000, 10_000),
      autoShutdown: fc.oneof(fc.constant<AutoShutdown>('never'), fc.constantFrom(...autoShutdowns)),
      children: fc.array(childOf(child), { maxLength: maxChildren }),
    })
    .map(({ strategy, restarts, withinMs, autoShutdown, children }) => ({
      kind: 'supervisor',
      strategy,
      intensity: { restarts, withinMs },
      autoShutdown,
      children: children.map((each, i) => legal({ ...each, id: String.fromCharCode(97 + i) }, autoShutdown)),
    }))
}

function workerOf(): Arbitrary<WorkerSpec> {
  const fc = fastCheck()
  const steady: Behaviour = { kind: 'steady' }
  const behaviour = fc.oneof(
    { weight: 4, arbitrary: fc.constant(steady) },
    { weight: 2, arbitrary: nthOf('crash-on-message', 1) },
    { weight: 2, arbitrary: nthOf('crash-in-start', 2) },
    { weight: 1, arbitrary: fc.constant<Behaviour>({ kind: 'ignore-stop' }) },
  )
  return behaviour.map((does) => ({ kind: 'worker', behaviour: does }))
}

const nthOf = (kind: 'crash-on-message' | 'crash-in-start', min: number): Arbitrary<Behaviour> =>
  fastCheck()
    .integer({ min, max: min + 3 })
    .map((nth) => ({ kind, nth }))

const childOf = (runs: Arbitrary<TreeSpec | WorkerSpec>): Arbitrary<Omit<ChildNode, 'id'>> => {
  const fc = fastCheck()
  return fc.record({
    restart: fc.constantFrom<RestartType>('permanent', 'transient', 'temporary'),
    significant: fc.boolean(),
    shutdown: fc.constantFrom<Shutdown>(1_000, 5_000, 'infinity', 'brutal_kill'),
    runs,
  })
}

/** What OTP refuses, or what would never end, is made what comes nearest. */
function legal(child: ChildNode, autoShutdown: AutoShutdown): ChildNode {
  const { runs, restart, significant, shutdown } = child
  const ignoresStop = runs.kind === 'worker' && runs.behaviour.kind === 'ignore-stop'
  return {
    ...child,
    significant: significant && restart !== 'permanent' && autoShutdown !== 'never',
    shutdown: ignoresStop && shutdown === 'infinity' ? 1_000 : shutdown,
  }
}

/** Any story of who crashes when in a tree. An actor may not be there any more when its turn comes. */
export function crashScripts(
  spec: TreeSpec,
  { maxSteps = 10 }: { readonly maxSteps?: number } = {},
): Arbitrary<readonly CrashStep[]> {
  const fc = fastCheck()
  const actors = pathsOf(spec)
  if (actors.length === 0) return fc.constant([])
  const afterMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 6_000 }))
  const how = fc.oneof(
    { weight: 4, arbitrary: fc.constant<CrashHow>('crash') },
    { weight: 3, arbitrary: fc.constant<CrashHow>('work') },
    { weight: 3, arbitrary: fc.constantFrom<CrashHow>('kill', 'normal', 'shutdown') },
  )
  const step = fc
    .record({ afterMs, actor: fc.constantFrom(...actors), how })
    // A supervisor does not do as it is told: it can only be killed.
    .map(
      ({ actor, how: told, ...rest }) => ({ ...rest, path: actor.path, how: actor.isWorker ? told : 'kill' }) as const,
    )
  return fc.array(step, { maxLength: maxSteps })
}

interface Placed {
  readonly path: readonly string[]
  readonly isWorker: boolean
}

const pathsOf = ({ children }: TreeSpec): readonly Placed[] =>
  children.flatMap(({ id, runs }) => [
    { path: [id], isWorker: runs.kind === 'worker' },
    ...(runs.kind === 'worker' ? [] : pathsOf(runs).map((below) => ({ ...below, path: [id, ...below.path] }))),
  ])
