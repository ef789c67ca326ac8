import { eventChannels, type DeadLetterReason, type EventOrigin } from '../core/events.ts'
import {
  BudgetExceededError,
  DeathPactError,
  DefinitionInvalidError,
  FencedError,
  MailboxFullError,
  MessageUnknownError,
  NameTakenError,
  StartFailedError,
  StuckError,
  TargetDownError,
} from '../core/errors.ts'
import { exits, isCleanExit, type ExitReason } from '../core/exit.ts'
import { actorPath, isSegment, type ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import type { Random } from '../core/random.ts'
import { ambient, currentContext, outside } from './ambient.ts'
import type { Ask } from './ask.ts'
import { Children, numberedName } from './children.ts'
import { CellParts, type Verdict } from './cell-parts.ts'
import { supervisorRules, workerRules, type Budget, type ChildRules, type Directive } from './child-rules.ts'
import { MessageContext } from './context.ts'
import { parseInput, type AnyDefinition, type SpawnOptions } from './definition.ts'
import { Envelope } from './envelope.ts'
import type { HostedSnapshot } from './host.ts'
import type { Kernel } from './kernel.ts'
import { Lane } from './lane.ts'
import { entryOf, isAccepted, parseMessage } from './protocol.ts'
import { LocalRef, cellOf, type AnyRef, type SnapshotObserver } from './ref.ts'
import { TimerBook, type Timer } from './timers.ts'
import { Monitor, type Down } from './watch.ts'

/** What waits in the user lane: a bare message, one that carries more, or a child that has ended. */
type Item = Message | Envelope | Cell

/** A watched actor ended badly and this one's logic has no `actor.down`. Never leaves the mailbox. */
const deathPactType = 'actor.death-pact'
/** The top of a node. */
const rootPath = actorPath('/')
/** Start time of a message that nobody times. */
const notTimed = -1

/** Whether an overflow may drop it: signals of the runtime are never dropped. */
const isDroppable = (item: Item): boolean => {
  if (item instanceof Cell) return false
  if (!(item instanceof Envelope)) return !item.type.startsWith('actor.')
  return item.timer === undefined && item.monitor === undefined
}

export type CellStatus = 'starting' | 'running' | 'stopping' | 'stopped'

/**
 * One incarnation of one actor: its mailbox, its children, its timers, its end. What it does with a message is its
 * logic's, run by the definition's host.
 *
 * 1. At most one message is being handled at a time, unless the definition is reentrant.
 * 2. Once `status` is `stopped` nothing of it has any effect; attempts are counted as zombie effects.
 * 3. Every message that was taken is handled, or becomes a dead letter, or moves to the next incarnation.
 * 4. The user lane never exceeds its capacity, apart from signals of the runtime, which are never dropped.
 * 5. Each monitor is answered exactly once; each open ask is settled when the cell ends.
 * 6. It ends only after its children have, unless it is killed.
 */
export class Cell {
  readonly kernel: Kernel
  readonly parent: Cell | undefined
  /** Name that it was given; without one it has its number in its name. */
  readonly givenName: string | undefined
  /** Counts the children of its parent, from 1. Kept over restarts. */
  readonly number: number
  readonly definition: AnyDefinition
  readonly input: unknown
  readonly rules: ChildRules
  readonly ref: LocalRef
  readonly incarnation: number
  status: CellStatus = 'starting'
  /** Why it ended, or is ending. */
  exit: ExitReason | undefined
  /** What its host keeps in it: the state of a handler actor, otherwise a snapshot. */
  hosted: unknown
  /** By name, in the order of a supervisor's child list. */
  children: Children | undefined
  /** What few actors need, made when it is. */
  #parts: CellParts | undefined
  #queue: Lane<Item> | undefined
  /** The message whose handler has not finished; for a supervisor, itself while it waits for a child. */
  #busy: MessageContext | 'blocked' | undefined
  #scheduled = false
  #stopRequest: ExitReason | undefined
  /** Of `ref.exited` and `ref.stop`. */
  #ended: PromiseWithResolvers<ExitReason> | undefined
  /** Told to stop by somebody: whoever waits for something on its behalf should not. */
  aborted = false
  /** The crash after which mailbox and watchers wait for the next incarnation. */
  #keptFor: ExitReason | undefined

  constructor(
    kernel: Kernel,
    parent: Cell | undefined,
    name: string | undefined,
    definition: AnyDefinition,
    input: unknown,
    rules: ChildRules,
    previous?: Cell,
  ) {
    this.kernel = kernel
    this.parent = parent
    this.givenName = name
    this.definition = definition
    this.input = input
    this.rules = rules
    this.number =
      previous === undefined
        ? (parent?.numberChild(name === undefined ? (rules.id ?? definition.name) : undefined) ?? 0)
        : previous.number
    this.incarnation = previous === undefined ? 1 : previous.incarnation + 1
    this.ref = previous === undefined ? new LocalRef(this) : previous.ref
  }

  get name(): string {
    return this.givenName ?? numberedName(this.rules.id ?? this.definition.name, this.number)
  }

  get path(): ActorPath {
    if (this.parent === undefined) return rootPath
    return actorPath(this.parent.parent === undefined ? `/${this.name}` : `${this.parent.path}/${this.name}`)
  }

  get origin(): EventOrigin {
    const { kernel } = this
    return {
      runtime: kernel.id,
      node: kernel.node,
      path: this.path,
      incarnation: this.incarnation,
      atMs: kernel.clock.wallNow(),
    }
  }

  get snapshot(): HostedSnapshot {
    return this.definition.host.snapshot(this)
  }

  get random(): Random {
    return (this.parts.random ??= this.kernel.random.fork(`${this.path}#${this.incarnation}`))
  }

  get parts(): CellParts {
    return (this.#parts ??= new CellParts())
  }

  // ---- starting -----------------------------------------------------------------------------------------------------

  /** Starts a child with a name of its own under an actor that is no supervisor. */
  spawn(definition: AnyDefinition, options: SpawnOptions<AnyDefinition> = {}): AnyRef {
    this.checkName(options.name)
    const child = this.startChild(
      options.name,
      definition,
      options.input,
      definition.type === 'supervisor' ? supervisorRules : workerRules,
    )
    if (child !== undefined) return child.ref
    throw new StartFailedError(
      `${this.path}/${options.name ?? definition.name}`,
      new Error('its start function said ignore'),
    )
  }

  /** Whether a child can have this name. @throws {NameTakenError} `NAME_TAKEN`, {DefinitionInvalidError} `DEFINITION_INVALID`. */
  checkName(asked: string | undefined): void {
    if (asked === undefined) return
    if (!isSegment(asked)) {
      throw new DefinitionInvalidError(`${this.path}/${asked}`, 'a name is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
    }
    if (this.children?.get(asked) !== undefined) throw new NameTakenError(asked, this.path)
  }

  /** Number of the next child; of one without a name of its own, whose name begins with `base`. */
  numberChild(base: string | undefined): number {
    return (this.children ??= new Children()).nextNumber(base)
  }

  /**
   * Starts a child under a name that `checkName` passed, or else under a number, or the next incarnation of `previous`;
   * synchronously. Undefined when its start function says `ignore`. A supervisor whose children fail to start may come back in status `stopping`: it then still cleans up.
   * @throws {StartFailedError} `START_FAILED`, {DefinitionInvalidError} `DEFINITION_INVALID`.
   */
  startChild(
    name: string | undefined,
    definition: AnyDefinition,
    givenInput: unknown,
    rules: ChildRules,
    previous?: Cell,
  ): Cell | undefined {
    if (this.status === 'stopped') throw new FencedError(this.path, `start of ${name ?? definition.name}`)
    const input = parseInput(definition, givenInput)
    const child = new Cell(this.kernel, this, name, definition, input, rules, previous)
    return currentContext() === undefined ? child.#launch(previous) : outside(() => child.#launch(previous))
  }

  #launch(previous: Cell | undefined): this | undefined {
    try {
      // The parsed input is what the start function's type says.
      if (this.definition.start?.({ input: this.input as never }) === 'ignore') return undefined
      this.#start(previous)
      return this
    } catch (error) {
      this.status = 'stopped'
      this.exit = exits.crash(error)
      throw error instanceof StartFailedError ? error : new StartFailedError(this.path, error)
    }
  }

  /** Starts the top cell of a node, which has no parent. @throws {StartFailedError} `START_FAILED` */
  startRoot(): void {
    this.#start(undefined)
  }

  #start(previous: Cell | undefined): void {
    if (eventChannels.spawned.hasSubscribers) {
      eventChannels.spawned.publish({
        type: 'spawned',
        ...this.origin,
        definition: this.definition.name,
        parent: this.parent?.path,
      })
    }
    this.definition.host.start(this, previous)
    if (previous !== undefined) this.#replace(previous)
    const parent = this.parent
    if (parent !== undefined) (parent.children ??= new Children()).set(this)
    // A supervisor whose children failed to start is ending by now.
    if (this.status === 'starting') this.status = 'running'
    if (this.definition.handlesSignal('actor.started') && this.definition.type === 'worker') {
      this.#lane.forceFirst({ type: 'actor.started' })
    }
    if (this.rules.budget?.wallMs !== undefined) this.#limitWallTime(this.rules.budget.wallMs)
    if (this.#hasWork) this.#wake()
    if (eventChannels.started.hasSubscribers) {
      eventChannels.started.publish({ type: 'started', ...this.origin, definition: this.definition.name })
    }
    if (parent?.aborted === true) this.#abort(parent.exit ?? exits.shutdown())
  }

  // ---- receiving ----------------------------------------------------------------------------------------------------

  /** Whether a message has any chance: it is alive, or its mailbox outlives it. */
  get accepting(): boolean {
    return this.status !== 'stopped' || this.#retained
  }

  /** Puts a message into the mailbox. Never throws: what cannot be delivered becomes a dead letter. */
  tell(given: Message): void {
    const sender = currentContext()
    if (sender?.fenced === true) {
      sender.cell.zombie('tell')
      return
    }
    const message = this.#checked(given)
    if (message === undefined) return
    const traced = sender !== undefined && eventChannels.handled.hasSubscribers
    if (this.enqueue(traced ? new Envelope(message, undefined, undefined, undefined, sender.cell.path) : message))
      return
    const { overflow, capacity } = this.definition.mailbox
    const reason = overflow === 'drop-newest' ? 'dropped-newest' : 'mailbox-full'
    this.deadLetter(message, reason, new MailboxFullError(this.path, capacity, message))
  }

  /** As `tell`, and resolves when the mailbox took the message. Waits for room under `park`. */
  offer(given: Message, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sender = currentContext()
      if (sender?.fenced === true) {
        sender.cell.zombie('offer')
        throw new FencedError(sender.cell.path, 'offer')
      }
      const message = this.parse(given)
      if (!this.accepting) throw new TargetDownError(this.path, message.type, this.exit ?? exits.noproc)
      signal?.throwIfAborted()
      if (this.enqueue(message)) {
        resolve()
        return
      }
      const lane = this.#lane
      const full = lane.full(this.path, message)
      if (this.definition.mailbox.overflow !== 'park') throw full
      const giveUp = (): void => {
        if (lane.unpark(parked)) reject(signal?.reason instanceof Error ? signal.reason : full)
      }
      const parked = {
        item: message,
        resolve: () => {
          signal?.removeEventListener('abort', giveUp)
          resolve()
        },
        reject: (error: Error) => {
          signal?.removeEventListener('abort', giveUp)
          reject(error)
        },
      }
      if (!lane.park(parked)) throw full
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** @throws {MessageUnknownError} `MESSAGE_UNKNOWN`, {MessageInvalidError} `MESSAGE_INVALID`. */
  parse(given: Message): Message {
    const to = (): string => this.path
    return parseMessage(entryOf(this.definition.table, given, to), given, to)
  }

  #checked(given: Message): Message | undefined {
    const entry =
      typeof given === 'object' && (given as Message | null) !== null
        ? this.definition.table.get(given.type)
        : undefined
    if (isAccepted(entry?.accepts, given)) return given
    try {
      return this.parse(given)
    } catch (error) {
      this.deadLetter(given, error instanceof MessageUnknownError ? 'unknown-message' : 'invalid-message', error)
      return undefined
    }
  }

  /** Queues a checked message within the mailbox's bound. False when it is full. A stopped cell makes it a dead letter. */
  enqueue(item: Message | Envelope): boolean {
    if (this.status === 'stopped' && !this.#retained) {
      this.#bury(item, 'stopped')
      return true
    }
    const lane = this.#lane
    const offered = lane.offer(item, isDroppable)
    if (offered === 'full') return false
    if (offered !== 'taken') this.#bury(offered.dropped, 'dropped-oldest')
    if (eventChannels['mailbox-pressure'].hasSubscribers) this.#sayPressure()
    if (!this.#scheduled) this.#wake()
    return true
  }

  /** Hands the current message on to another actor of this node, with its question if it is one. */
  forward({ message, envelope }: MessageContext, to: Cell): void {
    const asked = envelope?.ask
    if (asked !== undefined) {
      this.forgetAsk(asked)
      asked.accepted = false
      asked.target = to
      to.rememberAsk(asked)
    }
    if (to.enqueue(envelope ?? message)) return
    const error = new MailboxFullError(to.path, to.definition.mailbox.capacity, message)
    asked?.fail(error)
    to.deadLetter(message, 'mailbox-full', error)
  }

  /** Queues a message of the runtime to itself: after what waits, beyond the mailbox's bound. */
  castSelf(message: Message): void {
    this.#force(message)
  }

  /** Queues a signal of the runtime: in order with the messages of the user lane, beyond its bound. */
  #force(item: Item): void {
    if (this.status === 'stopped') return
    this.#lane.force(item)
    this.#wake()
  }

  get #lane(): Lane<Item> {
    return (this.#queue ??= new Lane<Item>(this.definition.mailbox))
  }

  #wake(): void {
    if (this.#scheduled || this.status === 'stopped' || this.status === 'starting') return
    this.#scheduled = true
    this.kernel.schedule(this)
  }

  // ---- handling -----------------------------------------------------------------------------------------------------

  /** Messages that wait. */
  get backlog(): number {
    return this.#queue?.length ?? 0
  }

  /** Part of a turn: handles up to `budget` messages and answers how many. Called by the dispatcher only. */
  run(budget: number): number {
    let handled = 0
    while (this.status === 'running' && this.#busy === undefined) {
      if (this.#stopRequest !== undefined) {
        this.#beginEnd(this.#stopRequest)
        break
      }
      if (handled >= budget) break
      const item = this.#queue?.shift()
      if (item === undefined) break
      handled += 1
      this.#handle(item)
    }
    return handled
  }

  /** Whether it has nothing to do and owes nobody: nothing waits, no handler runs, no question is open. */
  get isQuiet(): boolean {
    if ((this.#queue?.length ?? 0) > 0 || this.#parts?.openAsks !== undefined) return false
    if (this.status === 'stopped') return true
    return this.status === 'running' && !this.#isAtWork() && this.#stopRequest === undefined
  }

  /** The end of a turn: whether it needs another. Called by the dispatcher only. */
  endTurn(): boolean {
    this.#scheduled = this.status === 'running' && this.#busy === undefined && this.#hasWork
    return this.#scheduled
  }

  get #hasWork(): boolean {
    return this.#stopRequest !== undefined || (this.#queue !== undefined && this.#queue.length > 0)
  }

  #handle(item: Item): void {
    if (item instanceof Cell) {
      // In a mailbox that was kept there may be children of the incarnation before.
      if (item.parent === this) this.#reactToChild(item)
      return
    }
    let envelope: Envelope | undefined
    let message: Message
    if (item instanceof Envelope) {
      if (!this.#opens(item)) return
      if (item.message.type === deathPactType) {
        this.#deathPact(item.message)
        return
      }
      envelope = item
      message = item.message
    } else {
      message = item
    }
    this.#react(new MessageContext(this, message, envelope))
  }

  /** Whether an envelope still means something when its turn comes. */
  #opens({ ask, timer, monitor, message }: Envelope): boolean {
    if (ask !== undefined) {
      ask.accepted = true
      if (ask.settled) this.deadLetter(message, 'expired', undefined)
      return !ask.settled
    }
    if (timer !== undefined) return this.timers.taken(timer)
    if (monitor !== undefined) {
      this.#parts?.watching?.delete(monitor)
      return monitor.active
    }
    return true
  }

  #react(context: MessageContext): void {
    const listening = eventChannels.handled.hasSubscribers
    const startMs = listening ? this.kernel.clock.now() : notTimed
    let pending: Promise<void> | undefined
    ambient.context = context
    try {
      pending = this.definition.host.react(context)
    } catch (error) {
      ambient.context = undefined
      this.fail(error, context)
      return
    }
    ambient.context = undefined
    if (pending === undefined) this.#handled(context, startMs)
    else this.#await(pending, context, startMs)
  }

  #await(pending: Promise<void>, context: MessageContext, startMs: number): void {
    if (this.definition.reentrant) (this.parts.inHand ??= new Set<MessageContext>()).add(context)
    else this.#busy = context
    this.#armWatchdog(context)
    pending.then(
      () => {
        if (context.fenced) return
        this.#release(context)
        this.#disarmWatchdog(context)
        this.#handled(context, startMs)
        this.#goOn()
      },
      (error: unknown) => {
        if (context.fenced) {
          this.zombie('failure')
          return
        }
        this.#release(context)
        this.fail(error, context)
        this.#goOn()
      },
    )
  }

  #release(context: MessageContext): void {
    if (this.#busy === context) this.#busy = undefined
    else this.#parts?.inHand?.delete(context)
  }

  /** The messages whose handlers are at work. */
  get #inHand(): Iterable<MessageContext> {
    return this.#busy instanceof MessageContext ? [this.#busy] : (this.#parts?.inHand ?? [])
  }

  /** Whether a handler is at work. */
  #isAtWork(): boolean {
    return this.#busy !== undefined || (this.#parts?.inHand?.size ?? 0) > 0
  }

  /** After a wait: takes up the stop that came meanwhile, or the next message. */
  #goOn(): void {
    if (this.status === 'stopping') this.#advanceEnd()
    else if (this.#hasWork) this.#wake()
  }

  #handled(context: MessageContext, startMs: number): void {
    if (this.status === 'stopped') return // it killed itself
    if (this.rules.budget !== undefined) this.#countMessage(this.rules.budget)
    if (this.#parts?.failing?.item === (context.envelope ?? context.message)) this.#parts.failing = undefined
    if (eventChannels['mailbox-pressure'].hasSubscribers) this.#sayPressure()
    if (startMs === notTimed || context.deferred || !eventChannels.handled.hasSubscribers) return
    eventChannels.handled.publish({
      type: 'handled',
      ...this.origin,
      messageType: context.message.type,
      from: context.envelope?.from ?? context.envelope?.ask?.asker?.cell.path,
      durationMs: this.kernel.clock.now() - startMs,
    })
  }

  /** The host has a new snapshot: observers see it, and what was postponed for a change of state is put back. */
  publish(hosted: unknown, stateChanged = true): void {
    if (this.status === 'stopped') {
      this.zombie('state')
      return
    }
    this.hosted = hosted
    if (stateChanged && this.hasSetAside) this.#lane.putBack('postpone')
    const observers = this.#parts?.observers
    if (observers === undefined) return
    const { snapshot } = this
    for (const observer of observers) {
      try {
        observer.next?.(snapshot)
      } catch (error) {
        this.kernel.observerFailed(`snapshot of ${this.path}`, error)
      }
    }
  }

  /** Messages that it has to handle, with those that it is at. */
  get load(): number {
    return (this.#queue?.length ?? 0) + (this.#busy === undefined ? 0 : 1) + (this.#parts?.inHand?.size ?? 0)
  }

  /** Whether messages are set aside for later. */
  get hasSetAside(): boolean {
    return this.#queue !== undefined && this.#queue.setAsideCount > 0
  }

  /** Calls `observer` at each change of the snapshot, and when it ends. The result takes it off. */
  observe(observer: SnapshotObserver): () => void {
    if (!this.accepting) {
      this.#tellEnd(observer)
      return () => undefined
    }
    const observers = (this.parts.observers ??= new Set())
    observers.add(observer)
    return () => {
      observers.delete(observer)
    }
  }

  #tellEnd(observer: SnapshotObserver): void {
    try {
      if (this.exit?.kind === 'crash') observer.error?.(this.exit.error)
      else observer.complete?.()
    } catch (error) {
      this.kernel.observerFailed(`end of ${this.path}`, error)
    }
  }

  /** `stash` or `postpone` by the handler of `context`. */
  setAside(context: MessageContext, how: 'stash' | 'postpone'): void {
    if (context.deferred) return
    // A tick that was taken is a message like any other: its timer has nothing to do with it any more.
    const item = context.envelope?.timer === undefined ? (context.envelope ?? context.message) : context.message
    this.#lane.setAside(item, how, () => this.path)
    context.deferred = true
    if (context.envelope?.ask !== undefined) context.envelope.ask.accepted = false
  }

  putBack(which: 'stash'): void {
    this.#lane.putBack(which)
  }

  /** A supervisor waits for a child: it takes no message until `unblock`. */
  block(): void {
    this.#busy = 'blocked'
  }

  unblock(): void {
    this.#busy = undefined
    this.#goOn()
  }

  // ---- failing ------------------------------------------------------------------------------------------------------

  /** Logic failed. Its parent's decider says what becomes of it; without one it crashes. */
  fail(error: unknown, context?: MessageContext): void {
    if (this.status === 'stopped') {
      this.zombie('failure')
      return
    }
    this.#disarmWatchdog(context)
    const messageType = context?.message.type
    if (eventChannels.failed.hasSubscribers)
      eventChannels.failed.publish({ type: 'failed', ...this.origin, error, messageType })
    const directive = this.#directive(error, messageType)
    const reason = exits.crash(error)
    // What it had set aside stays so, and is lost or kept with the rest.
    const fate = context === undefined || context.deferred ? 'again' : this.#fateOf(context, directive)
    if (context !== undefined && fate !== 'again') {
      context.envelope?.ask?.targetEnded(reason)
      if (!context.message.type.startsWith('actor.')) this.deadLetter(context.message, fate, error)
    }
    if (this.status === 'stopping') return // its last handler failed: the end goes on
    if (directive === 'resume' && this.definition.host.canResume) return
    if (directive !== 'resume' && this.verdict === 'restart') this.parts.verdict = directive
    this.#beginEnd(reason)
  }

  #directive(error: unknown, messageType: string | undefined): Directive {
    const { decide } = this.rules
    if (decide === undefined) return 'restart'
    try {
      return decide({ error, path: this.path, incarnation: this.incarnation, messageType })
    } catch (deciderError) {
      this.kernel.observerFailed(`decider of ${this.path}`, deciderError)
      return 'restart'
    }
  }

  /** What becomes of the failing message. With `poisonAfter` the next incarnation tries it again, up to so many times. */
  #fateOf(context: MessageContext, directive: Directive): 'again' | 'poison' | 'crashed' {
    const { poisonAfter, keepMailbox } = this.rules
    if (directive !== 'restart' || poisonAfter === undefined || !keepMailbox) return 'crashed'
    // Signals and ticks belong to their incarnation.
    if (context.message.type.startsWith('actor.') || context.envelope?.timer !== undefined) return 'crashed'
    const item = context.envelope ?? context.message
    const before = this.#parts?.failing
    const times = (before?.item === item ? before.times : 0) + 1
    this.parts.failing = times < poisonAfter ? { item, times } : undefined
    if (times >= poisonAfter) return 'poison'
    if (context.envelope?.ask !== undefined) context.envelope.ask.accepted = false
    this.#lane.forceFirst(item)
    return 'again'
  }

  // ---- children and watches -----------------------------------------------------------------------------------------

  /** A child has ended; called on its stack, so it only queues. One that is watched is not linked too. */
  #childEnded(child: Cell, isWatched = false): void {
    if (this.status === 'stopped') return
    if (this.status === 'stopping') {
      this.kernel.defer(() => {
        this.#advanceEnd()
      })
      return
    }
    if (isWatched || this.definition.host.childEnded?.(this, child) === true) return
    this.#force(child)
  }

  /** Whether this is the child of an actor that watches it, and is no supervisor. */
  get #isWatchedByParent(): boolean {
    if (this.parent === undefined || this.parent.definition.type === 'supervisor') return false
    for (const monitor of this.parent.#parts?.watching ?? []) if (monitor.target === this.ref) return true
    return false
  }

  #reactToChild(child: Cell): void {
    const { reactToChild } = this.definition.host
    if (reactToChild !== undefined) {
      reactToChild(this, child)
      return
    }
    const reason = child.exit ?? exits.normal
    if (!isCleanExit(reason)) this.fail(new DeathPactError(this.path, child.path, reason))
  }

  /** Forgets a child for good: its name is free again. */
  forgetChild(child: Cell): void {
    this.children?.delete(child)
  }

  /** A monitor on this incarnation; one that has ended answers `noproc`. */
  monitor(notify: (monitor: Monitor, reason: ExitReason) => void): Monitor {
    const monitor = new Monitor(this.ref, notify)
    if (!this.accepting) {
      this.kernel.defer(() => {
        monitor.fire(exits.noproc)
      })
    } else {
      ;(this.parts.monitors ??= new Set<Monitor>()).add(monitor)
    }
    return monitor
  }

  forgetMonitor(monitor: Monitor): void {
    this.#parts?.monitors?.delete(monitor)
  }

  watch(ref: AnyRef): void {
    const notify = (monitor: Monitor, reason: ExitReason): void => {
      // A watcher learns of every incarnation that it watched, as the protocol's own `actor.down`.
      const handled = this.definition.handlesSignal('actor.down')
      const down: Down & Message = { type: handled ? 'actor.down' : deathPactType, ref, reason }
      if (handled || !isCleanExit(reason)) this.#force(new Envelope(down, undefined, undefined, monitor))
    }
    const monitor = cellOf(ref).monitor(notify)
    ;(this.parts.watching ??= new Set<Monitor>()).add(monitor)
  }

  /** The end of a watched actor that nothing here handles. @see Pekko's DeathPactException */
  #deathPact(signal: Message): void {
    // Only `watch` makes messages of this type.
    const { ref, reason } = signal as Message & Down
    this.fail(new DeathPactError(this.path, ref.path, reason))
  }

  unwatch(ref: AnyRef): void {
    for (const monitor of this.#parts?.watching ?? []) {
      if (monitor.target !== ref) continue
      monitor.cancel()
      cellOf(ref).forgetMonitor(monitor)
      this.#parts?.watching?.delete(monitor)
    }
  }

  // ---- asks, timers, budgets ----------------------------------------------------------------------------------------

  rememberAsk(ask: Ask): void {
    const { parts } = this
    ask.next = parts.openAsks
    if (parts.openAsks !== undefined) parts.openAsks.previous = ask
    parts.openAsks = ask
  }

  forgetAsk(ask: Ask): void {
    if (ask.previous !== undefined) ask.previous.next = ask.next
    else if (this.#parts?.openAsks === ask) this.#parts.openAsks = ask.next
    if (ask.next !== undefined) ask.next.previous = ask.previous
    ask.previous = undefined
    ask.next = undefined
  }

  get timers(): TimerBook {
    return (this.parts.timers ??= new TimerBook(this.kernel.clock, (timer: Timer) => {
      this.#force(new Envelope(timer.message, undefined, timer))
    }))
  }

  /** Runs `task` in a turn of this cell's node, unless the cell has ended by then. */
  post(task: () => void): void {
    this.kernel.defer(() => {
      if (this.status === 'stopped') return
      task()
    })
  }

  madeProgress(context: MessageContext): void {
    if (context.watchdog !== undefined) this.#armWatchdog(context)
  }

  #armWatchdog(context: MessageContext): void {
    const withinMs = this.rules.progressWithinMs
    if (withinMs === undefined) return
    const { clock } = this.kernel
    clock.clearTimeout(context.watchdog)
    context.watchdog = clock.setTimeout(() => {
      this.#overrun(new StuckError(this.path, context.message.type, withinMs), context)
    }, withinMs)
  }

  #disarmWatchdog(context: MessageContext | undefined): void {
    if (context?.watchdog === undefined) return
    this.kernel.clock.clearTimeout(context.watchdog)
    context.watchdog = undefined
  }

  #limitWallTime(wallMs: number): void {
    this.parts.wallTimer = this.kernel.clock.setTimeout(() => {
      this.#overrun(
        new BudgetExceededError(this.path, 'wallMs', wallMs),
        this.#busy instanceof MessageContext ? this.#busy : undefined,
      )
    }, wallMs)
  }

  /** Fails a cell whose handler may still be running: it is not waited for but fenced. */
  #overrun(error: Error, context: MessageContext | undefined): void {
    for (const late of context === undefined ? this.#inHand : [context]) {
      late.waits = 'abandoned'
      this.#release(late)
    }
    this.fail(error, context)
    this.#goOn()
  }

  spend(amount: { readonly usd?: number; readonly tokens?: number; readonly calls?: number }): void {
    const spent = (this.parts.spent ??= { usd: 0, tokens: 0, calls: 0, messages: 0 })
    spent.usd += amount.usd ?? 0
    spent.tokens += amount.tokens ?? 0
    spent.calls += amount.calls ?? 0
    const { budget } = this.rules
    if (budget === undefined) return
    for (const resource of ['usd', 'tokens', 'calls'] as const) {
      const limit = budget[resource]
      if (limit !== undefined && spent[resource] > limit) throw new BudgetExceededError(this.path, resource, limit)
    }
  }

  #countMessage(budget: Budget): void {
    const spent = (this.parts.spent ??= { usd: 0, tokens: 0, calls: 0, messages: 0 })
    spent.messages += 1
    if (budget.messages !== undefined && spent.messages > budget.messages) {
      this.fail(new BudgetExceededError(this.path, 'messages', budget.messages))
    }
  }

  // ---- ending -------------------------------------------------------------------------------------------------------

  /** Aborted when this cell is to stop; a child that starts during a stop finds it aborted. */
  get signal(): AbortSignal {
    const { parts } = this
    if (parts.abort === undefined) {
      parts.abort = new AbortController()
      if (this.aborted) parts.abort.abort(this.exit ?? this.#stopRequest)
    }
    return parts.abort.signal
  }

  /** Aborts the signals of this cell and of everything below it: nobody goes on working for a cell that is to stop. */
  #abort(reason: ExitReason): void {
    if (this.aborted) return
    this.aborted = true
    this.#parts?.abort?.abort(reason)
    if (this.children === undefined) return
    for (const child of this.children) if (child.status !== 'stopped') child.#abort(reason)
  }

  /** Ends once the current message is handled, on its own behalf. */
  stopSelf(reason: ExitReason): void {
    if (this.status === 'stopping' || this.status === 'stopped') return
    this.#stopRequest ??= reason
    this.#wake()
  }

  /** Asks it to end: it finishes the message it is at, and is killed when that takes longer than `timeoutMs`. */
  requestStop(reason: ExitReason, timeoutMs: number | 'infinity'): void {
    if (this.status === 'stopped') return
    const { parts, kernel } = this
    if (timeoutMs !== 'infinity') {
      kernel.clock.clearTimeout(parts.killTimer)
      parts.killTimer = kernel.clock.setTimeout(() => {
        this.kill()
      }, timeoutMs)
    }
    this.#abort(reason)
    this.stopSelf(reason)
  }

  /** Stops as its child spec's `shutdown` says. `keep`: mailbox and watchers wait for the next incarnation. */
  shutDown(reason: ExitReason, keep = false): void {
    if (keep) this.parts.keep = true
    if (this.rules.shutdown === 'brutal_kill') this.kill()
    else this.requestStop(reason, this.rules.shutdown)
  }

  /** Stops on somebody's behalf who does not want it back: its supervisor forgets it, or keeps its spec without a child. */
  stopForGood(reason: ExitReason, timeoutMs?: number): void {
    this.parts.verdict = 'stop'
    if (this.status === 'stopped') {
      if (this.#retained) this.discard()
      // Its supervisor may be about to start it again.
      if (this.parent?.definition.type === 'supervisor') this.parent.#childEnded(this)
      return
    }
    if (timeoutMs === undefined && this.rules.shutdown === 'brutal_kill') this.kill()
    else this.requestStop(reason, timeoutMs ?? (this.rules.shutdown === 'brutal_kill' ? 0 : this.rules.shutdown))
  }

  /** What its supervisor should do about its end. */
  get verdict(): Verdict {
    return this.#parts?.verdict ?? 'restart'
  }

  /** Fences it at once. Its code may still run, since JavaScript cannot be stopped, but has no effect. */
  kill(): void {
    outside(() => {
      this.#finish(exits.killed)
    })
  }

  /** Begins the end for `reason`: children first, last started first, then its own last words. */
  end(reason: ExitReason): void {
    this.#beginEnd(reason)
  }

  /** A supervisor could not start its children: it stops those that are up, last first, and never runs. */
  failStart(error: unknown): void {
    this.parts.failedToStart = true
    this.#beginEnd(exits.crash(error))
  }

  #beginEnd(reason: ExitReason): void {
    if (this.status === 'stopping' || this.status === 'stopped') return
    this.status = 'stopping'
    this.exit = reason
    this.definition.host.ending?.(this)
    this.#abort(reason)
    this.#advanceEnd()
  }

  /** Goes on with the end as far as it can without waiting. */
  #advanceEnd(): void {
    if (this.status !== 'stopping' || this.#isAtWork() || this.#childrenStillStop()) return
    const { exit = exits.normal } = this
    if (this.definition.handlesSignal('actor.stopping') && !this.parts.saidStopping) {
      this.parts.saidStopping = true
      this.#react(new MessageContext(this, { type: 'actor.stopping', reason: exit } as Message, undefined))
      if (this.#isAtWork()) {
        this.#limitLastWords(exit)
        return
      }
    }
    this.#finish(exit)
  }

  /** Last words of an actor that nobody asked to stop may take as long as a stop. */
  #limitLastWords(exit: ExitReason): void {
    const { shutdown } = this.rules
    if (this.parts.killTimer !== undefined || shutdown === 'infinity') return
    const finish = (): void => {
      outside(() => {
        this.#finish(exit.kind === 'crash' ? exit : exits.killed)
      })
    }
    this.parts.killTimer = this.kernel.clock.setTimeout(finish, shutdown === 'brutal_kill' ? 0 : shutdown)
  }

  #childrenStillStop(): boolean {
    if (this.children === undefined || this.children.size === 0) return false
    const { parts } = this
    const isAlive = (child: Cell): boolean => child.status !== 'stopped'
    for (;;) {
      if (parts.toStop === undefined) {
        const alive = this.children.inOrder().filter(isAlive)
        if (alive.length === 0) return false
        parts.toStop = alive
        if (this.definition.host.stopsInParallel) for (const child of alive) child.shutDown(exits.shutdown())
      }
      if (parts.stopping !== undefined && isAlive(parts.stopping)) return true
      parts.stopping = parts.toStop.pop()
      if (parts.stopping === undefined) parts.toStop = undefined
      else if (parts.stopping.#parts?.failedToStart === true)
        continue // it ends by itself, and in OTP its parent still waits for its start
      else if (isAlive(parts.stopping) && !this.definition.host.stopsInParallel)
        parts.stopping.shutDown(exits.shutdown())
    }
  }

  /** Whether it has ended and its mailbox waits for the next incarnation. */
  get keepsMailbox(): boolean {
    return this.#retained
  }

  get #retained(): boolean {
    return this.status === 'stopped' && this.#keptFor !== undefined
  }

  /** Whether a restart may still come that takes over the mailbox. */
  get #isKept(): boolean {
    if (!this.rules.keepMailbox || this.parent?.status !== 'running') return false
    if (this.verdict === 'stop') return false
    if (this.#parts?.keep === true) return true
    return this.exit?.kind === 'crash' || this.exit?.kind === 'killed'
  }

  #finish(reason: ExitReason): void {
    if (this.status === 'stopped') return
    this.status = 'stopped'
    this.exit = reason
    const kept = this.#isKept
    this.#keptFor = kept ? reason : undefined
    const isWatched = this.#isWatchedByParent
    this.#buryInHand()
    this.#releaseParts(reason)
    this.#ended?.resolve(reason)
    this.definition.host.end(this, reason)
    if (!kept) this.discard()
    this.#discardChildren()
    if (reason.kind === 'killed') this.#orphanChildren()
    const { parent } = this
    if (parent !== undefined) {
      if (parent.status === 'stopped') this.kernel.orphans.delete(this)
      if (parent.definition.type === 'worker') parent.forgetChild(this)
      // Nobody takes up a start that failed, unless its parent waits for its clean-up.
      if (this.#parts?.failedToStart === true && parent.status !== 'stopping')
        parent.definition.host.childEnded?.(parent, this)
      else parent.#childEnded(this, isWatched)
    }
    if (eventChannels.stopped.hasSubscribers) eventChannels.stopped.publish({ type: 'stopped', ...this.origin, reason })
  }

  /** What it was at when it was killed: nobody will know how far it came. */
  #buryInHand(): void {
    if (!this.#isAtWork()) return
    for (const { message, deferred } of this.#inHand) {
      if (deferred || message.type.startsWith('actor.')) continue
      this.deadLetter(message, 'stopped', new TargetDownError(this.path, message.type, this.exit ?? exits.killed))
    }
  }

  /** Gives back what it held: timers, names, subscriptions, the questions that it was at. */
  #releaseParts(reason: ExitReason): void {
    const parts = this.#parts
    if (parts === undefined) return
    const { clock } = this.kernel
    this.#abort(reason)
    clock.clearTimeout(parts.killTimer)
    clock.clearTimeout(parts.wallTimer)
    parts.timers?.clear()
    for (const cleanUp of parts.cleanups ?? []) cleanUp()
    for (const monitor of parts.watching ?? []) {
      monitor.cancel()
      cellOf(monitor.target).forgetMonitor(monitor)
    }
    for (let open = parts.openAsks; open !== undefined;) {
      const next = open.next
      if (open.accepted) open.targetEnded(reason)
      open = next
    }
  }

  /** No restart will take over: what waits becomes dead letters, watchers and askers learn of the end. */
  discard(): void {
    const reason = this.exit ?? exits.normal
    this.#keptFor = undefined
    const lane = this.#queue
    this.#queue = undefined
    if (lane?.isEmpty === false) {
      // Only messages are parked.
      const waiting = lane.drain((item) => new TargetDownError(this.path, (item as Message).type, reason))
      for (const item of waiting) this.#bury(item, 'stopped')
    }
    const parts = this.#parts
    if (parts === undefined) return
    while (parts.openAsks !== undefined) parts.openAsks.targetEnded(reason)
    const { monitors } = parts
    parts.monitors = undefined
    for (const monitor of monitors ?? []) monitor.fire(reason)
    const { observers } = parts
    parts.observers = undefined
    for (const observer of observers ?? []) this.#tellEnd(observer)
  }

  /** Takes the place of `previous` at its address, and its mailbox and watchers when they are kept. */
  #replace(previous: Cell): void {
    this.ref.point(this)
    if (!previous.#retained) return
    const old = previous.#parts
    previous.#keptFor = undefined
    this.#queue = previous.#queue
    previous.#queue = undefined
    if (old === undefined) return
    const { parts } = this
    parts.monitors = old.monitors
    parts.observers = old.observers
    old.monitors = undefined
    parts.openAsks = old.openAsks
    old.openAsks = undefined
    for (let open = parts.openAsks; open !== undefined; open = open.next) open.target = this
    parts.failing = old.failing
    this.#lane.putBack('postpone')
    this.#lane.putBack('stash')
  }

  /** No restart will come for a child that is down. */
  #discardChildren(): void {
    if (this.definition.type === 'worker' || this.children === undefined) return
    for (const child of this.children) if (child.#retained) child.discard()
  }

  /** It was killed, so nobody stops its children in order: each is told, as Erlang's links would. */
  #orphanChildren(): void {
    if (this.children === undefined) return
    for (const child of this.children.inOrder().reverse()) {
      const { shutdown } = child.rules
      if (child.definition.type === 'supervisor') {
        // Whoever would have killed it for being slow is gone; it is as slow as its children are allowed to be.
        this.kernel.clock.clearTimeout(child.#parts?.killTimer)
        child.requestStop(exits.killed, 'infinity')
      } else if (shutdown === 'brutal_kill') child.kill()
      else child.requestStop(exits.killed, shutdown)
      // The tree does not lead to it any more.
      if (child.status !== 'stopped') this.kernel.orphans.add(child)
    }
  }

  /** Undone when this incarnation ends. */
  onEnd(cleanUp: () => void): void {
    ;(this.parts.cleanups ??= new Set<() => void>()).add(cleanUp)
  }

  /** How this incarnation ended, or will. */
  get ended(): Promise<ExitReason> {
    if (this.status === 'stopped') return Promise.resolve(this.exit ?? exits.normal)
    this.#ended ??= Promise.withResolvers<ExitReason>()
    return this.#ended.promise
  }

  // ---- saying so ----------------------------------------------------------------------------------------------------

  #bury(item: Item, reason: DeadLetterReason): void {
    if (item instanceof Cell) return
    const { message, ask, timer, monitor } = item instanceof Envelope ? item : { message: item }
    if (timer !== undefined || monitor !== undefined || message.type.startsWith('actor.')) return
    if (ask?.settled === true) {
      this.deadLetter(message, 'expired', undefined)
      return
    }
    const exit = this.exit ?? exits.noproc
    const error =
      reason === 'dropped-oldest'
        ? new MailboxFullError(this.path, this.definition.mailbox.capacity, message)
        : new TargetDownError(this.path, message.type, exit)
    ask?.fail(error)
    this.deadLetter(message, reason, error)
  }

  deadLetter(message: unknown, reason: DeadLetterReason, error: unknown): void {
    const { kernel, path } = this
    kernel.deadLetters.add({ to: path, message, reason, error, atMs: kernel.clock.wallNow() })
    const events = eventChannels['dead-letter']
    if (!events.hasSubscribers) return
    const messageType =
      typeof message === 'object' && message !== null && 'type' in message ? String(message.type) : typeof message
    events.publish({ type: 'dead-letter', ...this.origin, reason, messageType, message, error })
  }

  /** Something of a fenced incarnation tried to have an effect. */
  zombie(effect: string): void {
    this.kernel.countZombieEffect()
    const events = eventChannels['zombie-effect']
    if (!events.hasSubscribers) return
    outside(() => {
      events.publish({ type: 'zombie-effect', ...this.origin, effect })
    })
  }

  #sayPressure(): void {
    const lane = this.#queue
    const change = lane?.pressureChange()
    if (lane === undefined || change === undefined) return
    eventChannels['mailbox-pressure'].publish({
      type: 'mailbox-pressure',
      ...this.origin,
      depth: lane.length,
      capacity: this.definition.mailbox.capacity,
      rising: change === 'rising',
    })
  }
}
