import type { RefOf } from '../../actors/actor-context.ts'
import type { AnyDefinition, InputOf } from '../../actors/definition.ts'
import { Runtime, type RuntimeOptions, type RuntimeSpawnOptions } from '../../runtime/runtime.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { currentZone } from './active.ts'
import { perWorld, wrap } from './calls.ts'
import { SimulatedDisk } from './disk.ts'
import { millisecondsOf, type Duration } from '../duration.ts'
import { faults as plans, ratesOf, type FaultPlan } from './faults.ts'
import { openWorld } from './run-world.ts'
import type { StrategyName } from './strategy.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import { beginIn } from './begun.ts'
import type { World } from './world.ts'
import { Zone } from './zone.ts'

export interface SimOptions extends Pick<RuntimeOptions, 'root' | 'definitions' | 'onInDoubt' | 'node'> {
  /** Default 1. */
  readonly seed?: number | string
  /** Order of what is ready. Default `fifo`: nothing is odd. */
  readonly strategy?: StrategyName
  /**
   * What fails of the disk and of services, in each seed (`swarm` is off). Default nothing. Its process is never killed,
   * paused or replaced, also not by `crashAtCommit`: nobody would start it again. That is for scenarios.
   */
  readonly faults?: FaultPlan
  /** Whether there is a journal, for durable actors. Await `ready` then. Default: when there are `definitions`. */
  readonly journal?: boolean
  /** Code of the user may not use global time and randomness, even virtual. Default false. */
  readonly strict?: boolean
}

/** What a chart is in, or the state of an actor with handlers. */
export type StateOf<S> = S extends { readonly value: infer Value }
  ? Value
  : S extends { readonly context: infer Context }
    ? Context
    : unknown

/**
 * A ref whose questions and durable messages let the world go on until they are answered: just await them. An actor that
 * is given it has an ordinary ref.
 */
export type SimRef<D extends AnyDefinition> = RefOf<D> & {
  readonly state: StateOf<RefOf<D>['snapshot']>
}

/**
 * One runtime in a world of its own, whose time passes when a test says so. What breaks the world (an escape, an uncaught
 * error) rejects whatever drives it, and its disposal if nothing did before.
 */
export interface Sim extends AsyncDisposable {
  /** Its promises let the world go on, too. */
  readonly runtime: Runtime
  readonly world: World
  /** Milliseconds since the world began. */
  readonly nowMs: number
  /** Resolves when the journal is open; at once when there is none. */
  readonly ready: Promise<void>
  spawn<D extends AnyDefinition>(definition: D, options?: RuntimeSpawnOptions<D>): SimRef<D>
  /** A durable actor. */
  get<D extends AnyDefinition>(definition: D, key: string, options?: { readonly input?: InputOf<D> }): SimRef<D>
  /** Lets everything happen that needs no time to pass. */
  settle(): Promise<void>
  /** Lets time pass: timers fire, and what they set off happens. */
  advance(duration: Duration): Promise<void>
  /**
   * Lets time pass, from one event to the next, until `promise` has settled, and gives what it gives. Rejects when nothing
   * is left that could settle it, and when it has not settled after 30 days of the world or a million steps.
   */
  until<T>(promise: Promise<T>): Promise<T>
}

/**
 * A world for one test, without faults unless it asks for some: time that knows actors.
 * ```ts
 * await using world = sim()
 * const ref = world.spawn(approval)
 * await world.advance('24h')
 * expect(ref.state).toBe('expired')
 * ```
 * @throws {SimulationBusyError} `SIMULATION_BUSY` while another world is open, and what `createRuntime` rejects with.
 */
function open(options: SimOptions = {}): Sim {
  return new OpenSim(options)
}

/** `sim.wrap` puts a client of something outside under the world, `sim.perWorld` gives each world a value of its own. */
export const sim = Object.assign(open, { wrap, perWorld })

/** Milliseconds of the world and steps after which a promise is taken for one that never settles. */
const longestMs = 30 * 86_400_000
const mostSteps = 1_000_000

class OpenSim implements Sim {
  readonly runtime: Runtime
  readonly ready: Promise<void>
  readonly #world: SimulatedWorld
  readonly #zone: Zone
  readonly #close: () => void
  readonly #hasJournal: boolean
  /** The runtime itself. */
  readonly #runtime: Runtime
  #isReady = false
  /** Whether somebody was told what broke the world. */
  #isFailureTold = false
  #disposed: Promise<void> | undefined
  /** One after another: who waits for something drives the world. */
  #driven: Promise<void> = Promise.resolve()

  constructor({
    seed = 1,
    strategy = 'fifo',
    faults: given = plans.none(),
    strict,
    journal,
    node = 'sim',
    ...options
  }: SimOptions) {
    const faults = { ...given, swarm: false, rates: { ...given.rates, crashAtCommit: 0 } }
    const { world, close } = openWorld(
      { name: 'sim', nodes: {}, run: () => undefined },
      { seed, strategy },
      { faults, strict },
    )
    this.#world = world
    this.#close = close
    const { kernel } = world
    const zone = new Zone(kernel, node, 1, kernel.decisions.random.fork(node))
    kernel.add(zone)
    this.#zone = zone
    const hasJournal = journal ?? options.definitions !== undefined
    this.#hasJournal = hasJournal
    const runtimeOptions: RuntimeOptions = {
      ...{ ...options, node, seed, clock: zone, scheduler: zone, dispatcher: { messagesPerTurn: 1 } },
      ...(hasJournal ? { journal: this.#disk(faults).source(zone) } : {}),
    }
    try {
      this.#runtime = this.#within(() => new Runtime(runtimeOptions))
      this.runtime = this.#drivingAll(this.#runtime)
      // Without a journal it is up when this returns.
      const started = this.#within(() => this.#runtime.start(runtimeOptions))
      this.ready = hasJournal ? this.until(started) : started
    } catch (error) {
      close()
      throw error
    }
    // Who does not await it learns of a failure by what it asks for.
    this.ready.then(
      () => {
        this.#isReady = true
      },
      () => undefined,
    )
  }

  #disk(faults: FaultPlan): SimulatedDisk {
    const world = this.#world
    return new SimulatedDisk({
      rates: ratesOf(faults, world.random),
      written: () => undefined,
      note: () => undefined,
      fault: (kind) => {
        world.noteFault(this.#zone.name, kind)
      },
      // Its rate is 0: a single runtime cannot be started again.
      crash: () => undefined,
    })
  }

  get world(): World {
    return this.#world
  }

  get nowMs(): number {
    return this.#world.nowMs
  }

  spawn<D extends AnyDefinition>(definition: D, options?: RuntimeSpawnOptions<D>): SimRef<D> {
    return this.#driving(this.#within(() => this.#runtime.spawn(definition, options)))
  }

  get<D extends AnyDefinition>(definition: D, key: string, options?: { readonly input?: InputOf<D> }): SimRef<D> {
    // The runtime would say that there is no journal, which sends whoever reads it the wrong way.
    if (this.#hasJournal && !this.#isReady)
      throw new DefinitionInvalidError('sim: get', 'its journal is not open yet: await `ready` first')
    return this.#driving(this.#within(() => this.#runtime.get(definition, key, options)))
  }

  settle(): Promise<void> {
    return this.#drive(async () => {
      await this.#runTo(this.nowMs)
    })
  }

  advance(duration: Duration): Promise<void> {
    const ms = millisecondsOf(duration, 'sim: advance')
    return this.#drive(async () => {
      const untilMs = this.nowMs + ms
      await this.#runTo(untilMs)
      this.#world.kernel.passTo(untilMs)
      await this.#runTo(untilMs)
    })
  }

  async until<T>(promise: Promise<T>): Promise<T> {
    const state = { isSettled: false }
    const note = (): void => {
      state.isSettled = true
    }
    promise.then(note, note)
    await this.#drive(async () => {
      await Promise.resolve()
      const { kernel } = this.#world
      const untilMs = kernel.nowMs + longestMs
      const lastStep = kernel.steps + mostSteps
      while (!isSettled(state)) {
        const { kind } = await this.#step(untilMs)
        if (isSettled(state)) break
        if (kind === 'nothing' && kernel.nextDueMs === undefined)
          throw new Error('waits for something that nothing in this world brings about')
        if (kind === 'nothing' || kernel.steps > lastStep)
          throw new Error(
            `waits for something that has not come about after 30 days or ${mostSteps} steps of the world`,
          )
      }
    })
    return promise
  }

  async #runTo(untilMs: number): Promise<void> {
    while ((await this.#step(untilMs)).kind === 'ran');
  }

  /** A step, or the failure of the world as an error of whoever waits. */
  async #step(untilMs: number): Promise<{ readonly kind: 'ran' | 'nothing' }> {
    const step = await this.#world.kernel.step(untilMs)
    const { violation } = this.#world
    if (violation === undefined) return step
    this.#isFailureTold = true
    throw violation.error instanceof Error ? violation.error : new Error(violation.message)
  }

  #drive(steps: () => Promise<void>): Promise<void> {
    const driven = this.#driven.then(steps)
    this.#driven = driven.catch(() => undefined)
    return driven
  }

  /** Runs code of the world between its steps; what it goes on with by promises is of the world too. */
  #within<T>(code: () => T): T {
    return beginIn(this.#zone, () => this.#world.kernel.within(this.#zone, code))
  }

  /** The ref, whose promises drive the world. */
  #driving<D extends AnyDefinition>(ref: RefOf<D>): SimRef<D> {
    // What it adds to the ref is `state`.
    return this.#drivingAll(ref, (key) =>
      key === 'state' ? { value: stateOf(Reflect.get(ref, 'snapshot')) } : undefined,
    ) as SimRef<D>
  }

  /** `whole`, whose calls run in the world and whose promises drive it. */
  #drivingAll<T extends object>(
    whole: T,
    added: (key: PropertyKey) => { readonly value: unknown } | undefined = () => undefined,
  ): T {
    return new Proxy(whole, {
      get: (target, key): unknown => {
        const more = added(key)
        if (more !== undefined) return more.value
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function' || key === 'constructor') return value
        return (...args: unknown[]): unknown => {
          const call = (): unknown => Reflect.apply(value, target, args) as unknown
          // Whoever calls in the world waits as its actors do: it goes on anyway.
          if (currentZone() !== undefined) return call()
          const given = this.#within(call)
          return given instanceof Promise ? this.until(given) : given
        }
      },
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose()
    return this.#disposed
  }

  async #dispose(): Promise<void> {
    try {
      // A world that is broken does nothing any more, and whoever was told that need not hear it twice.
      if (!this.#isFailureTold) await this.until(this.#within(() => this.#runtime.shutdown()))
    } finally {
      this.#zone.die()
      this.#close()
    }
  }
}

// What a closure changes is unknown to the compiler.
const isSettled = (state: { readonly isSettled: boolean }): boolean => state.isSettled

function stateOf(snapshot: unknown): unknown {
  if (typeof snapshot !== 'object' || snapshot === null) return undefined
  if ('value' in snapshot) return snapshot.value
  return 'context' in snapshot ? snapshot.context : undefined
}
