import { Cell } from '../actors/cell.ts'
import { workerRules } from '../actors/child-rules.ts'
import type { DeadLetters } from '../actors/dead-letters.ts'
import type { RefOf } from '../actors/actor-context.ts'
import type { AnyDefinition, InputOf, SpawnOptions } from '../actors/definition.ts'
import { JournalMissingError } from '../actors/durable/errors.ts'
import { lookup } from '../actors/lookup.ts'
import type { Protocol } from '../actors/protocol.ts'
import type { AnyRef, Ref } from '../actors/ref.ts'
import { systemClock, type Clock } from '../core/clock.ts'
import { DefinitionInvalidError, RuntimeClosedError, StartFailedError } from '../core/errors.ts'
import type { RuntimeEvent, RuntimeEventOf, RuntimeEventType } from '../core/events.ts'
import { describeExit, exits, type ExitReason } from '../core/exit.ts'
import { isSegment, nodeName, runtimeId, type NodeName } from '../core/ids.ts'
import type { JournalSource } from '../core/journal.ts'
import { freshSeed, seededRandom, type Random } from '../core/random.ts'
import { systemScheduler, type Scheduler } from '../core/scheduler.ts'
import type { DiscoveryKey, Topic } from '../core/services.ts'
import type { ChildOptions } from '../supervisors/child-spec.ts'
import { spawnChild } from '../supervisors/dynamic-supervisor.ts'
import type { PendingEscalation } from '../supervisors/escalation.ts'
import { supervisionIn } from '../supervisors/supervisor-host.ts'
import type { Supervision } from '../supervisors/supervision.ts'
import type { DispatcherOptions } from './dispatcher.ts'
import { Activations, durableRoot } from './durable/activations.ts'
import { Durability, sayJournalFailed } from './durable/durability.ts'
import type { DoubtRule, PendingDoubt } from './durable/doubts.ts'
import { EventStream } from './event-stream.ts'
import { guardian, rootDefinition, spawnedSpec, usualSpec } from './guardian.ts'
import { NodeKernel } from './node-kernel.ts'
import {
  cellsFrom,
  Shutdown,
  type ShutdownOptions,
  type ShutdownPhase,
  type ShutdownReport,
  type ShutdownTask,
} from './shutdown.ts'
import { stopOnSignals, systemProcess, type ProcessPort } from './signals.ts'

export interface RuntimeOptions {
  /** Name of this node. Default `local`. */
  readonly node?: string
  /** The application's supervision tree. When it ends, the runtime closes. */
  readonly root?: AnyDefinition
  /** Where durable actors are kept: `sqliteJournal('app.db')`. Opened with the runtime and closed with it. */
  readonly journal?: JournalSource
  /**
   * Definitions of durable actors that this node knows from the start, so that what a crash interrupted goes on, and
   * timers fire, before anybody asks for them. Others are known from their first `get` on.
   */
  readonly definitions?: readonly AnyDefinition[]
  /** Settles effects of which nobody knows whether they ran; undefined leaves one to `runtime.inDoubt`. */
  readonly onInDoubt?: DoubtRule
  readonly clock?: Clock
  readonly scheduler?: Scheduler
  /** Seed of everything random, so that a run can be repeated. Default: a fresh one, see `runtime.seed`. */
  readonly seed?: number | string
  readonly dispatcher?: DispatcherOptions
  /** Dead letters that are kept to be looked at; all are counted. Default 100. */
  readonly deadLettersKept?: number
  /** Milliseconds that a shutdown may take altogether. Default 10,000. */
  readonly shutdownMs?: number
  /**
   * Whether SIGTERM and SIGINT drain and stop this runtime and then end the process, with code 0 or 130, and a second one
   * ends it at once, as if nobody listened. Default false. A port stands in for the process.
   */
  readonly signals?: boolean | ProcessPort
}

export interface RuntimeSpawnOptions<D extends AnyDefinition>
  extends SpawnOptions<D>, Omit<ChildOptions<D>, 'id' | 'input' | 'significant'> {}

export interface RuntimeStats {
  /** Actors that are there now, supervisors included. */
  readonly actors: number
  readonly deadLetters: number
  /** Effects of fenced incarnations, which were discarded. */
  readonly zombieEffects: number
}

const noOptions = {}

/** One node: actors under supervision, and everything that they share. Made by `createRuntime`. */
export class Runtime implements AsyncDisposable {
  readonly node: NodeName
  /** Give it to `createRuntime` to repeat this run. */
  readonly seed: number | string
  readonly #kernel: NodeKernel
  readonly #root: Cell
  #user: Supervision | undefined
  readonly #events: EventStream
  readonly #shutdown: Shutdown
  #releaseSignals: (() => void) | undefined

  /** Use `createRuntime`. */
  constructor(options: RuntimeOptions) {
    const {
      node = 'local',
      seed = freshSeed(),
      clock = systemClock,
      scheduler = systemScheduler,
      deadLettersKept = 100,
    } = options
    if (!isSegment(node))
      throw new DefinitionInvalidError(`node '${node}'`, 'a name is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
    if (!Number.isSafeInteger(deadLettersKept) || deadLettersKept < 1) {
      throw new DefinitionInvalidError('deadLettersKept', `${deadLettersKept} is not a positive integer`)
    }
    if (typeof seed === 'number' && !Number.isFinite(seed)) {
      throw new DefinitionInvalidError('seed', `${seed} is no seed: give a number or a text`)
    }
    this.node = nodeName(node)
    this.seed = seed
    const random: Random = seededRandom(seed)
    const id = runtimeId(`${node}-${freshSeed()}`)
    this.#kernel = new NodeKernel({
      id,
      node: this.node,
      clock,
      random,
      scheduler,
      dispatcher: options.dispatcher,
      deadLettersKept,
    })
    this.#events = new EventStream(id, (type, error) => {
      this.#kernel.observerFailed(`listener for '${type}'`, error)
    })
    const others = options.journal === undefined ? [] : [guardian(durableRoot)]
    const system = new Cell(this.#kernel, undefined, '', rootDefinition(options.root, others), undefined, workerRules)
    this.#root = system
    this.#shutdown = new Shutdown(
      this.#kernel,
      system,
      () => {
        this.#releaseSignals?.()
        this.#events.close()
      },
      options.shutdownMs,
    )
  }

  /** What it is made of, for a simulation that looks into it. @internal */
  static partsOf(runtime: Runtime): { readonly kernel: NodeKernel; readonly root: Cell } {
    return { kernel: runtime.#kernel, root: runtime.#root }
  }

  /** Starts the tree. Called by `createRuntime`. Rejects with `START_FAILED`. */
  async start({ root, signals = false, ...options }: RuntimeOptions): Promise<void> {
    if (options.journal !== undefined) await this.#openJournal(options.journal, options)
    this.#root.startRoot()
    if (this.#root.status !== 'running') {
      // A child failed to start while another takes its time to stop.
      const reason = await this.#root.ended
      throw new StartFailedError(
        `/${root?.name ?? ''}`,
        reason.kind === 'crash' ? reason.error : new Error(describeExit(reason)),
      )
    }
    const closeWith = (reason: ExitReason): void => {
      void this.#shutdown.run({ reason })
    }
    this.#kernel.durability?.start()
    void this.#root.ended.then(closeWith)
    void (root && this.#root.children?.get(root.name)?.ended.then(closeWith))
    if (signals !== false) this.#releaseSignals = stopOnSignals(this, signals === true ? systemProcess : signals)
  }

  /**
   * Starts an actor under `/user`. Default terms: `transient`, three restarts in five seconds for it alone; when those
   * are used up it stays down and `escalated` is emitted.
   * @throws {StartFailedError} `START_FAILED`, {NameTakenError} `NAME_TAKEN`, {DefinitionInvalidError} `DEFINITION_INVALID`,
   * {ChildSpecInvalidError} `CHILD_SPEC_INVALID`, {RuntimeClosedError} `RUNTIME_CLOSED`.
   */
  spawn<D extends AnyDefinition>(definition: D, options: RuntimeSpawnOptions<D> = noOptions): RefOf<D> {
    const user = this.#userGuardian()
    if (user === undefined || this.#shutdown.isClosing)
      throw new RuntimeClosedError(this.node, 'it starts no actor any more')
    const { name, input, ...terms } = options
    const spec = options === noOptions ? usualSpec(definition) : spawnedSpec(definition, terms)
    const cell = spawnChild(user, spec, name, input)
    if (cell === undefined || cell.status === 'stopping') {
      const cause = cell?.exit?.kind === 'crash' ? cell.exit.error : new Error('its start function said ignore')
      throw new StartFailedError(`/user/${name ?? definition.name}`, cause)
    }
    // The ref of a definition's cell has that definition's protocol.
    return cell.ref as unknown as RefOf<D>
  }

  /**
   * The durable actor of `definition` with this key, whether it is in memory or not: it is started when there is
   * something for it. `input` is what it begins with when it has never been there.
   * @throws {JournalMissingError} `JOURNAL_MISSING`, {NotDurableError} `NOT_DURABLE`, {DefinitionInvalidError} `DEFINITION_INVALID`.
   */
  get<D extends AnyDefinition>(definition: D, key: string, options: { readonly input?: InputOf<D> } = {}): RefOf<D> {
    const { activations } = this.#kernel
    if (activations === undefined) throw new JournalMissingError(`'${definition.name}'`)
    // The ref of a definition's actor has that definition's protocol.
    return activations.get(definition, key, options.input) as unknown as RefOf<D>
  }

  /** Effects that wait for a person to say whether they ran. At most 1,000. */
  get inDoubt(): readonly PendingDoubt[] {
    return this.#kernel.durability?.doubts.pending ?? []
  }

  async #openJournal(source: JournalSource, { definitions = [], onInDoubt }: RuntimeOptions): Promise<void> {
    const kernel = this.#kernel
    const journal = await source.open({
      node: this.node,
      clock: kernel.clock,
      onFailed: (error) => {
        sayJournalFailed(kernel, error)
      },
    })
    const activations = new Activations(
      kernel,
      () => this.#root.children?.get(durableRoot),
      () => this.#shutdown.isClosing,
    )
    const activate = (stream: string): Promise<void> | undefined => activations.activate(stream)
    const durability = new Durability(kernel, { journal, rule: onInDoubt, activate })
    kernel.durability = durability
    kernel.activations = activations
    this.#shutdown.on('drain', 'waking of durable actors', () => {
      durability.stop()
    })
    this.#shutdown.on('close', 'journal', (signal) => durability.journal.close(signal))
    for (const definition of definitions) activations.register(definition)
  }

  /** What supervises `/user` now: looked up again only when it was restarted. */
  #userGuardian(): Supervision | undefined {
    if (this.#user?.cell.status !== 'running') {
      const cell = this.#root.children?.get('user')
      this.#user = cell && supervisionIn(cell)
    }
    return this.#user
  }

  /**
   * The actor at an absolute path: `/review/licences`. Undefined when there is none, or when it is not of `definition`,
   * which also gives the ref its types.
   */
  ref(path: string): Ref | undefined
  ref<D extends AnyDefinition>(path: string, definition: D): RefOf<D> | undefined
  ref(path: string, definition?: AnyDefinition): Ref | undefined {
    let cell: Cell | undefined = this.#root
    for (const segment of path.split('/').slice(1)) cell = cell?.children?.get(segment)
    if (!path.startsWith('/') || cell === this.#root) return undefined
    return definition === undefined || cell?.definition === definition ? cell?.ref : undefined
  }

  /** The nearest actor of `definition` from the top: the tree itself, or what `spawn` started. @throws {ActorNotFoundError} `ACTOR_NOT_FOUND` */
  lookup<D extends AnyDefinition>(definition: D, name?: string): RefOf<D> {
    const user = this.#root.children?.get('user') ?? this.#root
    // The ref of a definition's cell has that definition's protocol.
    return lookup(user, definition, name).ref as unknown as RefOf<D>
  }

  /** Decisions that wait for somebody: see `context.escalate`. At most 1,000. */
  get escalations(): readonly PendingEscalation[] {
    return this.#kernel.escalations.pending
  }

  /**
   * Registers a name for an actor; it is released when the actor ends.
   * @throws {NameTakenError} `NAME_TAKEN`
   */
  register(name: string, ref: AnyRef): () => void {
    return this.#kernel.registry.register(name, ref)
  }

  whereis(name: string): AnyRef | undefined {
    return this.#kernel.registry.whereis(name)
  }

  /** The actors that registered themselves under `key`. */
  find<P extends Protocol>(key: DiscoveryKey<P>): readonly Ref<P>[] {
    return this.#kernel.registry.find(key)
  }

  /** @throws {MessageInvalidError} `MESSAGE_INVALID` when the topic's schema refuses the payload. */
  publish<Payload>(topic: Topic<Payload>, payload: Payload): void {
    this.#kernel.topics.publish(topic, payload)
  }

  subscribe<Payload>(topic: Topic<Payload>, listener: (payload: Payload) => void): () => void {
    return this.#kernel.topics.subscribe(topic, listener)
  }

  /** Calls `listener` for each event of one type. The result takes it off. Does nothing once the runtime has closed. */
  on<Type extends RuntimeEventType>(type: Type, listener: (event: RuntimeEventOf<Type>) => void): () => void {
    return this.#events.on(type, listener)
  }

  /** Calls `listener` for every event; otherwise as `on`. */
  onAny(listener: (event: RuntimeEvent) => void): () => void {
    return this.#events.onAny(listener)
  }

  get deadLetters(): Pick<DeadLetters, 'count' | 'byReason' | 'recent' | 'subscribe'> {
    return this.#kernel.deadLetters
  }

  get clock(): Clock {
    return this.#kernel.clock
  }

  get stats(): RuntimeStats {
    const { deadLetters, zombieEffects, orphans } = this.#kernel
    let actors = 0
    for (const cell of cellsFrom(this.#root, orphans)) if (cell !== this.#root && cell.status !== 'stopped') actors += 1
    return { actors, deadLetters: deadLetters.count, zombieEffects }
  }

  /**
   * Runs `task` in a phase of the shutdown, beside the others of that phase; its signal aborts when the time is up. A
   * task that fails is reported and stops nothing. The result takes it off.
   * @throws {RuntimeClosedError} `RUNTIME_CLOSED` when that phase has begun already.
   */
  onShutdown(phase: ShutdownPhase, name: string, task: ShutdownTask): () => void {
    return this.#shutdown.on(phase, name, task)
  }

  /**
   * Drains and stops everything, in phases, within one deadline. Never rejects. Called again it gives the same report.
   * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a deadline that is none.
   */
  shutdown(options?: ShutdownOptions): Promise<ShutdownReport> {
    return this.#shutdown.run(options)
  }

  /**
   * Lets go of it as it is, without an end: what remains when a process dies. For simulations, whose clock and scheduler
   * see to it that nothing of it goes on.
   */
  abandon(): void {
    this.#releaseSignals?.()
    this.#events.close()
  }

  /** Resolves when the runtime has closed: with the end of the application's tree if that came first, else with the reason of the shutdown. */
  get closed(): Promise<ExitReason> {
    return this.#shutdown.closed.then(({ reason }) => reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }
}

/**
 * Starts a node. Close it with `await using` or `shutdown()`.
 * @throws {StartFailedError} `START_FAILED` when the tree cannot start, {DefinitionInvalidError} `DEFINITION_INVALID`.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const runtime = new Runtime(options)
  try {
    await runtime.start(options)
  } catch (error) {
    await runtime.shutdown({ reason: exits.crash(error) })
    throw error
  }
  return runtime
}
