import type { RefOf } from '../../actors/actor-context.ts'
import type { AnyDefinition, InputOf } from '../../actors/definition.ts'
import { Runtime, type RuntimeOptions, type RuntimeSpawnOptions } from '../../runtime/runtime.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { perWorld, wrap } from './calls.ts'
import { SimulatedDisk } from './disk.ts'
import { millisecondsOf, type Duration } from '../duration.ts'
import { faults as plans, ratesOf, type FaultPlan } from './faults.ts'
import { openWorld } from './run-world.ts'
import type { StrategyName } from './strategy.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import type { World } from './world.ts'
import { Zone } from './zone.ts'

export interface SimOptions extends Pick<RuntimeOptions, 'root' | 'definitions' | 'onInDoubt' | 'node'> {
  /** Default 1. */
  readonly seed?: number | string
  /** Order of what is ready. Default `fifo`: nothing is odd. */
  readonly strategy?: StrategyName
  /** What fails of the disk and of services. Default nothing. */
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

/** A ref whose questions and durable messages let the world go on until they are answered: just await them. */
export type SimRef<D extends AnyDefinition> = RefOf<D> & {
  readonly state: StateOf<RefOf<D>['snapshot']>
}

/** One runtime in a world of its own, whose time passes when a test says so. */
export interface Sim extends AsyncDisposable {
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
  /** Lets time pass, from one event to the next, until `promise` has settled, and gives what it gives. Rejects when nothing is left that could settle it. */
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

class OpenSim implements Sim {
  readonly runtime: Runtime
  readonly ready: Promise<void>
  readonly #world: SimulatedWorld
  readonly #zone: Zone
  readonly #close: () => void
  readonly #hasJournal: boolean
  #isReady = false
  /** One after another: who waits for something drives the world. */
  #driven: Promise<void> = Promise.resolve()

  constructor({
    seed = 1,
    strategy = 'fifo',
    faults = plans.none(),
    strict,
    journal,
    node = 'sim',
    ...options
  }: SimOptions) {
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
      this.runtime = kernel.within(zone, () => new Runtime(runtimeOptions))
      // Without a journal it is up when this returns.
      const started = kernel.within(zone, () => this.runtime.start(runtimeOptions))
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
      rates: ratesOf({ ...faults, swarm: false }, world.random),
      written: () => undefined,
      note: () => undefined,
      fault: (kind) => {
        world.noteFault(this.#zone.name, kind)
      },
      // A single runtime cannot be started again: use a scenario.
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
    return this.#driving(this.#within(() => this.runtime.spawn(definition, options)))
  }

  get<D extends AnyDefinition>(definition: D, key: string, options?: { readonly input?: InputOf<D> }): SimRef<D> {
    // The runtime would say that there is no journal, which sends whoever reads it the wrong way.
    if (this.#hasJournal && !this.#isReady)
      throw new DefinitionInvalidError('sim: get', 'its journal is not open yet: await `ready` first')
    return this.#driving(this.#within(() => this.runtime.get(definition, key, options)))
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
      while (!isSettled(state)) {
        const { kind } = await this.#step(Infinity)
        if (kind === 'nothing' && !isSettled(state))
          throw new Error('waits for something that nothing in this world brings about')
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
    if (violation !== undefined) throw violation.error instanceof Error ? violation.error : new Error(violation.message)
    return step
  }

  #drive(steps: () => Promise<void>): Promise<void> {
    const driven = this.#driven.then(steps)
    this.#driven = driven.catch(() => undefined)
    return driven
  }

  #within<T>(code: () => T): T {
    return this.#world.kernel.within(this.#zone, code)
  }

  /** The ref, whose promises drive the world. */
  #driving<D extends AnyDefinition>(ref: RefOf<D>): SimRef<D> {
    const driving = new Proxy(ref, {
      get: (target, key): unknown => {
        if (key === 'state') return stateOf(Reflect.get(target, 'snapshot'))
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown => {
          const given = this.#within(() => Reflect.apply(value, target, args) as unknown)
          return given instanceof Promise ? this.until(given) : given
        }
      },
    })
    // What it adds to the ref is `state`.
    return driving as SimRef<D>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.until(this.#within(() => this.runtime.shutdown()))
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
