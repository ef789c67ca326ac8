import type { AnyDefinition } from '../../actors/definition.ts'
import type { InputOf } from '../../actors/definition.ts'
import type { Network } from '../../core/network.ts'
import { createRuntime, type Runtime, type RuntimeOptions, type RuntimeSpawnOptions } from '../../runtime/runtime.ts'
import { clientOf, type ClientRef } from './client.ts'
import { SimulatedDisk } from './disk.ts'
import { NodeDownError } from './errors.ts'
import type { FaultRates } from './faults.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import { Zone } from './zone.ts'

/** What runs on a node: definitions of durable actors, or more. */
export interface NodeOptions extends Pick<RuntimeOptions, 'root' | 'onInDoubt' | 'definitions' | 'shutdownMs'> {
  /** Whether it has a journal on a disk of its own, which outlives its crashes. Default true. */
  readonly journal?: boolean
  /** Called on each start of its process, before anybody talks to it: to spawn what is not in its tree. */
  readonly setup?: (runtime: Runtime, node: SimulatedNode) => void | Promise<void>
}

/** Milliseconds until a process that died is started again, by degree. */
const restartMs = [100, 1000, 20_000]
/** Starts that fail one after another, without a fault that explains it, before the node is given up. */
const mostFailedStarts = 20

/**
 * One machine of a simulated world: a process that runs a real runtime, and a disk that outlives it. Who watches over
 * processes on real machines is part of it: one that died is started again.
 */
export class SimulatedNode {
  readonly name: string
  readonly disk: SimulatedDisk
  readonly options: NodeOptions
  readonly #world: SimulatedWorld
  #zone: Zone | undefined
  #runtime: Runtime | undefined
  #incarnation = 0
  #failedStarts = 0
  #state: 'down' | 'starting' | 'up' = 'down'
  #isStopped = false
  readonly #whenUp = new Set<() => void>()

  constructor(world: SimulatedWorld, name: string, options: NodeOptions) {
    this.name = name
    this.options = options
    this.#world = world
    const { rates } = world
    this.disk = new SimulatedDisk({
      get rates(): FaultRates {
        return rates
      },
      written: (appends) => {
        world.written(this, appends)
      },
      note: (what) => {
        world.trace.add(world.kernel.nowMs, name, 'disk', what)
      },
      crash: (zone, why) => {
        // An old process that was replaced dies alone.
        if (zone === this.#zone) this.crash(why)
        else zone.die()
      },
      fault: (kind) => {
        world.noteFault(name, kind)
      },
    })
  }

  get state(): 'down' | 'starting' | 'up' {
    return this.#state
  }

  /** Counts its processes, from 1. */
  get incarnation(): number {
    return this.#incarnation
  }

  /** The process that it is now; undefined before its first. */
  get zone(): Zone | undefined {
    return this.#zone
  }

  /** The runtime of its process. Call it in a step of the node only: `run`. Undefined while it is down. */
  get runtime(): Runtime | undefined {
    return this.#state === 'up' ? this.#runtime : undefined
  }

  /** Resolves when it is up. */
  async up(): Promise<void> {
    if (this.#state === 'up') return
    await this.#world.wait((resume) => {
      this.#whenUp.add(resume)
      return () => this.#whenUp.delete(resume)
    })
  }

  /** The network as its process has it now. @throws {NodeDownError} `NODE_DOWN` */
  get network(): Network {
    if (this.#zone?.isAlive !== true) throw new NodeDownError(this.name, 'its network')
    return this.#world.network.of(this.#zone)
  }

  // ---- talking to it ------------------------------------------------------------------------------------------------

  /** The durable actor with this key, as a client of the node sees it: also over its crashes. */
  get<D extends AnyDefinition>(
    definition: D,
    key: string,
    options: { readonly input?: InputOf<D> } = {},
  ): ClientRef<D> {
    return clientOf(this.#world, this, `${definition.name} ${key}`, (runtime) => runtime.get(definition, key, options))
  }

  /** The actor at a path, as a client of the node sees it: whichever is there when it is told or asked something. */
  at<D extends AnyDefinition>(path: string, definition: D): ClientRef<D> {
    return clientOf(this.#world, this, path, (runtime) => runtime.ref(path, definition))
  }

  /**
   * Starts an actor in the process that it is now; with a crash it is gone. Once it is up.
   * @throws {NodeDownError} `NODE_DOWN` and what `runtime.spawn` throws.
   */
  spawn<D extends AnyDefinition>(definition: D, options?: RuntimeSpawnOptions<D>): ClientRef<D> {
    const ref = this.run((runtime) => runtime.spawn(definition, options))
    return clientOf(this.#world, this, ref.path, () => ref)
  }

  /** Runs code in its process, here and now, even while it is paused, and gives what it gives. @throws {NodeDownError} `NODE_DOWN` */
  run<T>(code: (runtime: Runtime) => T): T {
    const { runtime } = this
    const zone = this.#zone
    if (runtime === undefined || zone === undefined) throw new NodeDownError(this.name, 'code on a node')
    return this.#world.kernel.within(zone, () => code(runtime))
  }

  /**
   * Hands code to its process, as a request of a client that has arrived: it runs in a turn of the process, in order with
   * others, and not while that is paused. When the process dies before, it never runs. @throws {NodeDownError} `NODE_DOWN`
   */
  submit(code: (runtime: Runtime) => void): void {
    const { runtime } = this
    if (runtime === undefined || this.#zone === undefined) throw new NodeDownError(this.name, 'a request to a node')
    this.#zone.soon(() => {
      code(runtime)
    })
  }

  // ---- its process --------------------------------------------------------------------------------------------------

  /** Starts a process, unless one is up or starting. Resolves when it is up, or has failed. After `stop`, ends that process first. */
  async start(): Promise<void> {
    if (this.#isStopped) this.end()
    if (this.#state === 'down') await this.#start()
    else await this.up()
  }

  async #start(): Promise<void> {
    const { kernel } = this.#world
    this.#incarnation += 1
    const label = `${this.name}#${this.#incarnation}`
    const zone = new Zone(kernel, this.name, this.#incarnation, kernel.decisions.random.fork(label))
    if (this.#zone !== undefined) zone.onMachineOf(this.#zone)
    this.#zone = zone
    this.#runtime = undefined
    this.#state = 'starting'
    kernel.add(zone)
    this.#note('starts')
    await this.#boot(zone)
  }

  async #boot(zone: Zone): Promise<void> {
    const { journal: hasJournal = true, setup, ...options } = this.options
    try {
      const runtime = await this.#world.kernel.within(zone, () =>
        createRuntime({
          ...options,
          node: this.name,
          seed: `${zone.random.int(2 ** 32)}`,
          clock: zone,
          scheduler: zone,
          dispatcher: { messagesPerTurn: 1 },
          ...(hasJournal ? { journal: this.disk.source(zone) } : {}),
        }),
      )
      zone.onDeath(() => {
        runtime.abandon()
      })
      await setup?.(runtime, this)
      if (zone !== this.#zone) return
      this.#runtime = runtime
      this.#state = 'up'
      this.#failedStarts = 0
      this.#note('is up')
      for (const resume of [...this.#whenUp]) resume()
      this.#whenUp.clear()
      void runtime.closed.then(() => {
        if (zone === this.#zone && !this.#isStopped) this.crash('its runtime closed')
      })
    } catch (error) {
      this.#startFailed(zone, error)
    }
  }

  #startFailed(zone: Zone, error: unknown): void {
    if (zone !== this.#zone || !zone.isAlive) return
    this.#failedStarts += 1
    this.#world.startFailed(this, error, this.#failedStarts >= mostFailedStarts)
    this.crash('it does not start')
  }

  /**
   * Its process is gone, with all that was under way, and another one is started after a while, unless it was to stop
   * anyway.
   */
  crash(why: string): void {
    const zone = this.#zone
    if (!zone?.isAlive) return
    this.#note(`crashes: ${why}`)
    this.#down(zone)
    this.#hurtDisk()
    if (this.#isStopped) return
    const degree = this.#world.kernel.decisions.stream(`restart ${this.name}`, 'value').uniform(restartMs.length)
    this.#startAfter(restartMs[degree] ?? 0)
  }

  /** Its journal takes nothing more: whoever watches over the process starts another. */
  journalFailed(): void {
    const zone = this.#zone
    const { kernel, driver } = this.#world
    kernel.after(driver, `kill ${this.name}`, 1000, () => {
      if (zone === this.#zone) this.crash('its journal failed')
    })
  }

  #startAfter(ms: number): void {
    const { kernel, driver } = this.#world
    kernel.after(driver, `start ${this.name}`, ms, () => {
      if (this.#state === 'down' && !this.#isStopped) void this.start()
    })
  }

  #down(zone: Zone): void {
    this.#state = 'down'
    this.#runtime = undefined
    zone.die()
    this.#world.died(this)
  }

  #hurtDisk(): void {
    const { decisions } = this.#world.kernel
    const { rates } = this.#world
    if (decisions.stream(`loseDisk ${this.name}`, 'fault').fault(rates.loseDisk) === 1) this.loseDisk()
    else if (decisions.stream(`corrupt ${this.name}`, 'fault').fault(rates.corrupt) === 1) this.corrupt()
  }

  /** Its disk is empty from here on, and its process gone with it. */
  loseDisk(): void {
    this.crash('its disk is lost')
    this.#world.noteFault(this.name, 'the disk is lost')
    this.#world.diskLost(this)
    this.disk.lose()
  }

  /** One entry on its disk is damaged from here on. */
  corrupt(): void {
    const place = this.#world.kernel.decisions.stream(`corrupted ${this.name}`, 'value')
    if (this.disk.corrupt((n) => place.uniform(n))) this.#world.noteFault(this.name, 'an entry is damaged')
  }

  /** Its process stands still for `ms`, and its clocks run on. */
  pause(ms: number): void {
    this.#note(`pauses for ${ms} ms`)
    this.#zone?.pause(ms)
  }

  /**
   * Its process stands still for `ms` and is taken for dead: another one takes over its journal. Then it wakes up, and
   * is not to have any effect any more. The old process is killed a second later.
   */
  replace(ms: number): void {
    const old = this.#zone
    if (old === undefined || this.#state !== 'up') return
    this.#note('pauses and is replaced')
    old.pause(ms)
    this.#state = 'down'
    this.#runtime = undefined
    this.#world.died(this)
    const { kernel, driver } = this.#world
    kernel.after(driver, `kill ${this.name}`, ms + 1000, () => {
      old.die()
    })
    void this.#start()
  }

  /** Shuts its runtime down in order, and gives the report; undefined when it is down. It is not started again. */
  async stop(deadlineMs?: number): Promise<Awaited<ReturnType<Runtime['shutdown']>> | undefined> {
    this.#isStopped = true
    const { runtime } = this
    const zone = this.#zone
    // It is told to end before it can end in order.
    if (this.#state === 'starting' && zone !== undefined) this.#down(zone)
    if (runtime === undefined || zone === undefined) return undefined
    this.#note('shuts down')
    return this.#world.fromZone(this, 'shutdown', () =>
      runtime.shutdown(deadlineMs === undefined ? {} : { deadlineMs }),
    )
  }

  /** After `stop`: its process ends, and it may be started again. */
  end(): void {
    this.#isStopped = false
    if (this.#zone?.isAlive === true) this.#down(this.#zone)
  }

  /** Ends a pause, and starts it at once when it is down. */
  async mend(): Promise<void> {
    this.#zone?.resume()
    this.disk.fullUntilMs = 0
    if (this.#state === 'down' && !this.#isStopped) await this.start()
    if (this.#state === 'starting') await this.up()
  }

  #note(what: string): void {
    this.#world.trace.add(this.#world.kernel.nowMs, this.name, 'process', what)
  }
}
