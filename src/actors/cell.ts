import { eventChannels, orderNotes, type EventOrigin } from '../core/events.ts'
import { EchelonError, FencedError } from '../core/errors.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import { actorPath, type ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import type { Random } from '../core/random.ts'
import { currentContext, outside } from './ambient.ts'
import { bury, sayPressure, zombie } from './cell-events.ts'
import { CellParts, type Verdict } from './cell-parts.ts'
import type { ChildRules } from './child-rules.ts'
import { Children, numberedName } from './children.ts'
import { MessageContext } from './context.ts'
import type { AnyDefinition } from './definition.ts'
import { parseInput } from './input.ts'
import { advanceEnd, beginEnd, finish, limitEnd, requestStop, stopBringingBack, stopForGood } from './ending.ts'
import { Envelope, isDroppable, type Item } from './envelope.ts'
import { fail } from './failing.ts'
import { opens, react } from './handling.ts'
import type { HostedSnapshot } from './host.ts'
import type { Kernel } from './kernel.ts'
import { Lane } from './lane.ts'
import { LocalRef } from './ref.ts'
import { launch, start } from './starting.ts'
import { discard } from './succession.ts'
import type { DurableRecord } from './durable/record.ts'
import { TimerBook, type Timer } from './timers.ts'
import { deathPact, deathPactType, reactToChild } from './watching.ts'

/** The top of a node. */
const rootPath = actorPath('/')

export type CellStatus = 'starting' | 'running' | 'stopping' | 'stopped'

/**
 * One incarnation of one actor: its place in the tree, its mailbox, its turns. What it does with a message is its
 * logic's, run by the definition's host. Most actors never start a child, watch anybody or fail: what those need is in
 * `CellParts`, and the rules in a file each (`starting`, `handling`, `failing`, `limits`, `watching`, `ending`,
 * `stop-order`, `succession`). Those know a cell by its type only; this file is the one that knows them all. Members
 * without `#` are theirs too, and nobody else's outside of this package.
 *
 * 1. At most one message is being handled at a time, unless the definition is reentrant.
 * 2. Once `status` is `stopped` nothing of it has any effect; attempts are counted as zombie effects.
 * 3. Every message that was taken is handled, or becomes a dead letter, or moves to the next incarnation.
 * 4. The user lane never exceeds its capacity, apart from signals of the runtime, which are never dropped.
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
  /** `parts`, once they are needed. */
  madeParts: CellParts | undefined
  /** `lane`, once something was put into it. */
  queue: Lane<Item> | undefined
  /** The message whose handler has not finished; for a supervisor, itself while it waits for a child. */
  busy: MessageContext | 'blocked' | undefined
  #scheduled = false
  #stopRequest: ExitReason | undefined
  /** Of `ended`, once somebody wants to know. */
  whenEnded: PromiseWithResolvers<ExitReason> | undefined
  /** Told to stop by somebody: whoever waits for something on its behalf should not. */
  aborted = false
  /** The crash after which mailbox and watchers wait for the next incarnation. */
  keptFor: ExitReason | undefined

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
        ? (parent?.childBook.nextNumber(name === undefined ? (rules.id ?? definition.name) : undefined) ?? 0)
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

  get snapshot(): HostedSnapshot | undefined {
    return this.definition.host.snapshot(this)
  }

  get random(): Random {
    return (this.parts.random ??= this.kernel.random.fork(`${this.path}#${this.incarnation}`))
  }

  get timers(): TimerBook {
    return (this.parts.timers ??= new TimerBook(this.kernel.clock, (timer: Timer) => {
      this.force(new Envelope(timer.message, undefined, timer))
    }))
  }

  /** Aborted when this cell is to stop; a child that starts during a stop finds it aborted. */
  get signal(): AbortSignal {
    const { parts } = this
    if (parts.abort === undefined) {
      parts.abort = new AbortController()
      if (this.aborted) parts.abort.abort(this.exit ?? this.#stopRequest)
    }
    return parts.abort.signal
  }

  get parts(): CellParts {
    return (this.madeParts ??= new CellParts())
  }

  /** Its journal, when it is durable. */
  get record(): DurableRecord | undefined {
    return this.madeParts?.record
  }

  get childBook(): Children {
    return (this.children ??= new Children())
  }

  get lane(): Lane<Item> {
    return (this.queue ??= new Lane<Item>(this.definition.mailbox))
  }

  // ---- children -----------------------------------------------------------------------------------------------------

  /**
   * Starts a child under a name that `checkName` passed, or else under a number, or the next incarnation of `previous`;
   * synchronously. Undefined when its start function says `ignore`. A supervisor whose children fail to start may come
   * back in status `stopping`: it then still cleans up.
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
    // What a durable actor began with is in its journal: nobody has to know it again.
    const isKnown = definition.durable !== undefined && givenInput === undefined
    const input = isKnown ? undefined : parseInput(definition, givenInput)
    const child = new Cell(this.kernel, this, name, definition, input, rules, previous)
    const outcome = currentContext() === undefined ? launch(child, previous) : outside(() => launch(child, previous))
    return outcome === 'started' ? child : undefined
  }

  /** Starts the top cell of a node, which has no parent. Throws what its logic throws. */
  startRoot(): void {
    start(this, undefined)
  }

  /** Forgets a child for good: its name is free again. */
  forgetChild(child: Cell): void {
    this.children?.delete(child)
  }

  // ---- receiving ----------------------------------------------------------------------------------------------------

  /** Whether a message has any chance: it is alive, or its mailbox outlives it. */
  get accepting(): boolean {
    return this.status !== 'stopped' || this.keepsMailbox
  }

  /** Queues a checked message within the mailbox's bound. False when it is full. A stopped cell makes it a dead letter. */
  enqueue(item: Message | Envelope): boolean {
    if (this.status === 'stopped' && !this.keepsMailbox) {
      bury(this, item, 'stopped')
      return true
    }
    const { lane } = this
    const offered = lane.offer(item, isDroppable)
    if (offered === 'full') return false
    if (offered !== 'taken') bury(this, offered.dropped, 'dropped-oldest')
    if (eventChannels['mailbox-pressure'].hasSubscribers) sayPressure(this)
    if (!this.#scheduled) this.wake()
    return true
  }

  /** Queues a message or signal of the runtime: in order with the messages of the user lane, beyond its bound. */
  force(item: Item): void {
    if (this.status === 'stopped') return
    this.lane.force(item)
    this.wake()
  }

  /** Asks for a turn. */
  wake(): void {
    if (this.#scheduled || this.status === 'stopped' || this.status === 'starting') return
    this.#scheduled = true
    this.kernel.schedule(this)
  }

  // ---- turns --------------------------------------------------------------------------------------------------------

  /** Messages that wait. */
  get backlog(): number {
    return this.queue?.length ?? 0
  }

  /** Part of a turn: handles up to `budget` messages and answers how many. Called by the dispatcher only. */
  run(budget: number): number {
    let handled = 0
    while (this.status === 'running' && this.busy === undefined) {
      if (this.#stopRequest !== undefined) {
        beginEnd(this, this.#stopRequest)
        break
      }
      if (handled >= budget || this.isHeld) break
      const item = this.queue?.shift()
      if (item === undefined) break
      handled += 1
      handle(this, item)
    }
    return handled
  }

  /** The end of a turn: whether it needs another. Called by the dispatcher only. */
  endTurn(): boolean {
    this.#scheduled = this.status === 'running' && this.busy === undefined && this.hasWork
    return this.#scheduled
  }

  get hasWork(): boolean {
    return this.#stopRequest !== undefined || (this.queue !== undefined && this.queue.length > 0 && !this.isHeld)
  }

  /**
   * Whether it takes no message any more though it is not at its end: the tree stops, and a durable actor may have left
   * the message that it was at to its next life, where the others come after it.
   */
  get isHeld(): boolean {
    return this.aborted && this.record !== undefined
  }

  /** Handles a signal of the runtime now, whatever waits. */
  react(signal: Message): void {
    react(new MessageContext(this, signal, undefined))
  }

  /** The messages whose handlers are at work. */
  get inHand(): Iterable<MessageContext> {
    return this.busy instanceof MessageContext ? [this.busy] : (this.madeParts?.inHand ?? [])
  }

  /** Whether a handler is at work. */
  isAtWork(): boolean {
    return this.busy !== undefined || (this.madeParts?.inHand?.size ?? 0) > 0
  }

  /** The handler of `context` is not waited for any more. */
  release(context: MessageContext): void {
    if (this.busy === context) this.busy = undefined
    else this.madeParts?.inHand?.delete(context)
  }

  /** After a wait: takes up the stop that came meanwhile, or the next message. */
  goOn(): void {
    if (this.status === 'stopping') advanceEnd(this)
    else if (this.hasWork) this.wake()
  }

  /** Messages that it has to handle, with those that it is at. */
  get load(): number {
    return (this.queue?.length ?? 0) + (this.busy === undefined ? 0 : 1) + (this.madeParts?.inHand?.size ?? 0)
  }

  /**
   * Whether it has nothing to do and owes nobody: nothing waits, no handler runs, no question is open. Or it can do
   * nothing before a person has decided.
   */
  get isQuiet(): boolean {
    if (this.record?.isLeftToPerson === true) return true
    if ((this.queue?.length ?? 0) > 0 || this.madeParts?.openAsks?.isEmpty === false) return false
    if (this.status === 'stopped') return true
    if (this.record?.isQuiet === false) return false
    return this.status === 'running' && !this.isAtWork() && this.#stopRequest === undefined
  }

  /** Whether messages are set aside for later. */
  get hasSetAside(): boolean {
    return this.queue !== undefined && this.queue.setAsideCount > 0
  }

  /** `stash` or `postpone` by the handler of `context`. */
  setAside(context: MessageContext, how: 'stash' | 'postpone'): void {
    if (context.deferred) return
    // A tick that was taken is a message like any other: its timer has nothing to do with it any more.
    const item = context.envelope?.timer === undefined ? (context.envelope ?? context.message) : context.message
    this.lane.setAside(item, how, () => this.path)
    if (orderNotes.hasSubscribers)
      orderNotes.publish({ kind: 'set-aside', node: this.kernel.node, at: this.path, message: context.message })
    context.deferred = true
    if (context.envelope?.ask !== undefined) context.envelope.ask.accepted = false
  }

  /** Puts what was set aside back in front. It may be no message that brings this about, so nothing else asks for a turn. */
  putBack(which: 'stash' | 'postpone'): void {
    this.lane.putBack(which)
    if (this.hasWork) this.wake()
  }

  /** The host has a new snapshot: observers see it, and what was postponed for a change of state is put back. */
  publish(hosted: unknown, stateChanged = true): void {
    if (this.status === 'stopped') {
      zombie(this, 'state')
      return
    }
    this.hosted = hosted
    if (stateChanged && this.hasSetAside) this.putBack('postpone')
    this.madeParts?.observers?.next(this)
  }

  /** A supervisor waits for a child: it takes no message until `unblock`. */
  block(): void {
    this.busy = 'blocked'
  }

  unblock(): void {
    this.busy = undefined
    this.goOn()
  }

  /** Runs `task` in a turn of this cell's node, unless the cell has ended by then. */
  post(task: () => void): void {
    this.kernel.defer(() => {
      if (this.status === 'stopped') return
      task()
    })
  }

  // ---- ending -------------------------------------------------------------------------------------------------------

  /** Logic failed, at `context` if it was at a message. Its parent's decider says what becomes of it. */
  fail(error: unknown, context?: MessageContext): void {
    fail(this, error, context)
  }

  /** Ends once the current message is handled, on its own behalf. */
  stopSelf(reason: ExitReason): void {
    if (this.status === 'stopping' || this.status === 'stopped') return
    this.#stopRequest ??= reason
    stopBringingBack(this)
    this.wake()
  }

  /** Asks it to end: it finishes the message it is at, and is killed when that takes longer than `timeoutMs`. */
  requestStop(reason: ExitReason, timeoutMs: number | 'infinity'): void {
    requestStop(this, reason, timeoutMs)
  }

  /** Stops as its child spec's `shutdown` says. `keep`: mailbox and watchers wait for the next incarnation. */
  shutDown(reason: ExitReason, keep = false): void {
    if (keep) this.parts.keep = true
    if (this.rules.shutdown === 'brutal_kill') this.kill()
    else requestStop(this, reason, this.rules.shutdown)
  }

  /** Stops on somebody's behalf who does not want it back. */
  stopForGood(reason: ExitReason, timeoutMs?: number): void {
    stopForGood(this, reason, timeoutMs)
  }

  /** Fences it at once. Its code may still run, since JavaScript cannot be stopped, but has no effect. */
  kill(): void {
    outside(() => {
      finish(this, exits.killed)
    })
  }

  /** As `fail`, and ends in any case: it has nothing that it could go on with when its decider says `resume`. */
  crash(error: unknown): void {
    this.fail(error)
    this.end(exits.crash(error))
  }

  /**
   * Its journal took no more: what it knows is more than the disk does. One that comes back when it is wanted just ends.
   * For another it is a crash, which nobody counts when the journal may take more later.
   */
  loseJournal(error: Error): void {
    if (this.busy === 'blocked') this.busy = undefined
    if (this.status === 'running') this.parts.isBlameless = error instanceof EchelonError && error.retryable
    if (this.rules.isPassive) this.end(exits.shutdown(error))
    else this.crash(error)
    limitEnd(this, this.exit ?? exits.crash(error))
  }

  /** Begins the end for `reason`. */
  end(reason: ExitReason): void {
    beginEnd(this, reason)
  }

  /** A supervisor could not start its children: it stops those that are up, last first, and never runs. */
  failStart(error: unknown): void {
    this.parts.failedToStart = true
    beginEnd(this, exits.crash(error))
  }

  /** What its supervisor should do about its end. */
  get verdict(): Verdict {
    return this.madeParts?.verdict ?? 'restart'
  }

  /** Whether it has ended and its mailbox waits for the next incarnation. */
  get keepsMailbox(): boolean {
    return this.status === 'stopped' && this.keptFor !== undefined
  }

  /** No restart will take over: what waits becomes dead letters, watchers and askers learn of the end. */
  discard(): void {
    discard(this)
  }

  /** Undone when this incarnation ends. The result takes that off; false when it was off already. */
  onEnd(cleanUp: () => void): () => boolean {
    const cleanups = (this.parts.cleanups ??= new Set<() => void>())
    cleanups.add(cleanUp)
    return () => cleanups.delete(cleanUp)
  }

  /** How this incarnation ended, or will. */
  get ended(): Promise<ExitReason> {
    if (this.status === 'stopped') return Promise.resolve(this.exit ?? exits.normal)
    this.whenEnded ??= Promise.withResolvers<ExitReason>()
    return this.whenEnded.promise
  }
}

/** No private method: a class that has one keeps a mark in every instance, which is 8 bytes an actor. */
function handle(cell: Cell, item: Item): void {
  if (item instanceof Cell) {
    // In a mailbox that was kept there may be children of the incarnation before.
    if (item.parent === cell) reactToChild(cell, item)
  } else if (!(item instanceof Envelope)) react(new MessageContext(cell, item, undefined))
  else if (!opens(cell, item)) return
  else if (item.message.type === deathPactType) deathPact(cell, item.message)
  else react(new MessageContext(cell, item.message, item))
}
