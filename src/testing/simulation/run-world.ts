import { eventChannels, orderNotes, runtimeEventTypes, type OrderNote, type RuntimeEvent } from '../../core/events.ts'
import { active, isLetThrough } from './active.ts'
import { begunIn } from './begun.ts'
import { Decisions, type Deviation, type LoggedDecision } from './decisions.ts'
import { SimulationBusyError } from './errors.ts'
import { watchEscapes } from './escapes.ts'
import { faults as plans, type FaultPlan } from './faults.ts'
import { installGlobals } from './globals.ts'
import type { Invariant } from './invariant.ts'
import type { Scenario } from './scenario.ts'
import { drawnStrategy, strategyOf, type StrategyName } from './strategy.ts'
import type { TraceLine } from './trace.ts'
import { seededRandom } from '../../core/random.ts'
import { SimulatedWorld } from './simulated-world.ts'
import { catchUncaught } from './uncaught.ts'
import type { Violation } from './world.ts'

/** Which world of a scenario: the same plan gives the same world. */
export interface Plan {
  readonly seed: number | string
  /** Default: drawn from the seed. */
  readonly strategy?: StrategyName | undefined
  /** The only decisions that are not 0; absent: the seed decides. */
  readonly deviations?: readonly Deviation[] | undefined
}

export interface RunOptions {
  readonly faults?: FaultPlan | undefined
  readonly invariants?: readonly Invariant[] | undefined
  /** Milliseconds of the world that a scenario may take. Default a day. */
  readonly maxMs?: number | undefined
  /** Steps that it may take. Default 1,000,000. */
  readonly maxSteps?: number | undefined
  /** Milliseconds of the world after the scenario in which everything has to come to rest. Default two minutes. */
  readonly settleMs?: number | undefined
  /** Whether code of the user may not use global time and randomness, even virtual. Default false. */
  readonly strict?: boolean | undefined
  readonly keepTrace?: boolean | undefined
  readonly keepLog?: boolean | undefined
}

/** What became of one world. */
export interface WorldResult {
  readonly seed: number | string
  readonly strategy: string
  readonly violation: Violation | undefined
  readonly deviations: readonly Deviation[]
  readonly decisions: number
  readonly faults: number
  readonly steps: number
  /** Messages that actors handled. */
  readonly delivered: number
  readonly virtualMs: number
  readonly traceHash: string
  readonly trace: readonly TraceLine[]
  readonly log: readonly LoggedDecision[]
  readonly reached: ReadonlySet<string>
  /** Why the world is not repeatable, when it is not. */
  readonly external: string | undefined
}

const dayMs = 86_400_000
/** Milliseconds that an orderly shutdown at the end gets. */
const shutdownMs = 60_000

/** Begins a world. Nothing happens in it by itself: `drive` does the steps. `close` gives the globals back. */
export function openWorld(
  scenario: Scenario,
  plan: Plan,
  options: RunOptions,
): { readonly world: SimulatedWorld; readonly close: () => void } {
  if (active.host !== undefined) throw new SimulationBusyError('a simulated world begins')
  installGlobals()
  const draws = seededRandom(plan.seed).fork('strategy')
  const name = plan.strategy ?? drawnStrategy(draws)
  const faultPlan = options.faults ?? plans.none()
  const decisions = new Decisions({
    seed: plan.seed,
    strategy: strategyOf(name, draws.fork(name)),
    overrides: plan.deviations,
    keepLog: options.keepLog,
    maxFaults: faultPlan.max,
  })
  const world = new SimulatedWorld(scenario, {
    decisions,
    faults: faultPlan,
    invariants: options.invariants ?? [],
    keepTrace: options.keepTrace ?? false,
    isStrict: options.strict ?? false,
  })
  return { world, close: attach(world) }
}

/** Lets the world see what happens in its runtimes, and the globals know it. */
function attach(world: SimulatedWorld): () => void {
  const onEvent = (event: unknown): void => {
    // On the channels there are events only.
    world.event(event as RuntimeEvent)
  }
  const onOrder = (note: unknown): void => {
    // On this channel there are notes only.
    world.noteOrder(note as OrderNote)
  }
  const host = {
    get current() {
      return isLetThrough() ? undefined : (world.kernel.current ?? begunIn(world.kernel))
    },
    isStrict: world.isStrict,
    world,
    escaped: (what: string, stack: string) => {
      world.escaped(what, stack)
    },
  }
  for (const type of runtimeEventTypes) eventChannels[type].subscribe(onEvent)
  orderNotes.subscribe(onOrder)
  active.host = host
  const unwatch = watchEscapes()
  const release = catchUncaught((what, error) => {
    if (host.current === undefined) return false
    world.violate('uncaught', `${what}: ${error instanceof Error ? error.message : String(error)}`, error)
    return true
  })
  return () => {
    release()
    unwatch()
    active.host = undefined
    for (const type of runtimeEventTypes) eventChannels[type].unsubscribe(onEvent)
    orderNotes.unsubscribe(onOrder)
  }
}

/** Runs one world of a scenario from its begin to its end. Rejects only when it cannot begin. */
export async function runWorld(scenario: Scenario, plan: Plan, options: RunOptions = {}): Promise<WorldResult> {
  const { world, close } = openWorld(scenario, plan, options)
  try {
    await live(world, scenario, options)
  } finally {
    close()
  }
  return resultOf(world, plan)
}

function resultOf(world: SimulatedWorld, { seed }: Plan): WorldResult {
  const { decisions } = world.kernel
  return {
    seed,
    strategy: decisions.strategy.name,
    violation: world.violation,
    deviations: decisions.deviations,
    decisions: decisions.made,
    faults: world.faultsInjected,
    steps: world.kernel.steps,
    delivered: world.delivered,
    virtualMs: world.nowMs,
    traceHash: world.trace.digest(),
    trace: world.trace.lines,
    log: decisions.log,
    reached: world.reached,
    external: world.externalReason,
  }
}

/** Its life: the nodes start, the scenario runs, everything is mended and comes to rest, the nodes shut down. */
async function live(world: SimulatedWorld, scenario: Scenario, options: RunOptions): Promise<void> {
  const { maxMs = dayMs, settleMs = 120_000 } = options
  await drive(world, () => startAll(world), maxMs, options)
  await drive(world, async () => scenario.run(world), maxMs, options)
  world.calm()
  await drive(world, () => mendAll(world), maxMs, options)
  await drive(world, () => world.sleep(settleMs), settleMs + 1, options)
  if (world.violation === undefined) world.quiet()
  await drive(world, () => stopAll(world), shutdownMs * 2, options)
}

async function startAll(world: SimulatedWorld): Promise<void> {
  // All at once: none needs another to come up.
  await Promise.all(world.nodes.map((node) => node.start()))
  await Promise.all(world.nodes.map((node) => node.up()))
}

async function mendAll(world: SimulatedWorld): Promise<void> {
  world.network.heal()
  await Promise.all(world.nodes.map((node) => node.mend()))
}

async function stopAll(world: SimulatedWorld): Promise<void> {
  for (const node of world.nodes) {
    const beganMs = world.nowMs
    await node.stop(shutdownMs)
    const tookMs = world.nowMs - beganMs
    if (tookMs > shutdownMs + 1000)
      world.violate('shutdown', `${node.name} took ${tookMs} ms to shut down, of ${shutdownMs}`)
    node.end()
  }
}

/** Steps until `task`, which the driver does, has ended, for `maxMs` of the world at most. */
export async function drive(
  world: SimulatedWorld,
  task: () => Promise<void>,
  maxMs: number,
  options: RunOptions,
): Promise<void> {
  if (world.violation !== undefined) return
  const { kernel, driver } = world
  const untilMs = kernel.nowMs + maxMs
  const { maxSteps = 1_000_000 } = options
  const state = { isOver: false }
  kernel.after(driver, 'driver', 0, () => {
    task().then(
      () => {
        state.isOver = true
      },
      (error: unknown) => {
        state.isOver = true
        world.violate('run', error instanceof Error ? error.message : String(error), error)
      },
    )
  })
  while (!isOver(state) && !isBroken(world)) {
    const step = await stepOf(world, untilMs)
    if (step === 'nothing' && !(await waitOutside(world))) {
      const problem = kernel.nextDueMs === undefined ? stuck : `not at its end after ${maxMs} ms of the world`
      world.violate('run', problem)
    }
    if (kernel.steps > maxSteps) world.violate('limit', `not at its end after ${maxSteps} steps`)
  }
}

// What others change meanwhile is unknown to the compiler.
const isBroken = ({ violation }: SimulatedWorld): boolean => violation !== undefined
const isOver = (state: { readonly isOver: boolean }): boolean => state.isOver

const stuck =
  'nothing can go on, and the scenario is not at its end: it waits for a promise that nobody settles, or for something outside of the world (a module that is imported late is outside too)'

async function stepOf(world: SimulatedWorld, untilMs: number): Promise<'ran' | 'nothing'> {
  try {
    return (await world.kernel.step(untilMs)).kind
  } catch (error) {
    world.violate('run', error instanceof Error ? error.message : String(error), error)
    return 'ran'
  }
}

/** Waits for something real, when there is anything to wait for. */
async function waitOutside(world: SimulatedWorld): Promise<boolean> {
  if (world.externals.size === 0) return false
  await Promise.race(world.externals)
  return true
}
