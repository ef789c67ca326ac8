import { TargetDownError } from '../../core/errors.ts'
import { EntryTooLargeError } from '../../core/journal-errors.ts'
import { asError, describeError, exits, type ExitReason } from '../../core/exit.ts'
import type { Blob, EntryKind, NewEntry, Snapshot } from '../../core/journal.ts'
import { outside } from '../ambient.ts'
import type { Message } from '../../core/message.ts'
import type { Cell } from '../cell.ts'
import type { Envelope } from '../envelope.ts'
import type { Failed, Handled, Intent, Outcome, Received, Taken } from './bodies.ts'
import { NotReplayableError } from './errors.ts'
import { digestOf, Ledger } from './ledger.ts'
import type { Durability } from './options.ts'
import type { DurabilityPort } from './port.ts'
import { TimerAlarm, type Delivery } from './timer-alarm.ts'
import type { Script } from './script.ts'
import { Turn, type Output } from './turn.ts'
import { encode, fits } from './values.ts'

/** Entries of one actor that may be on their way to the disk; with more it takes no message until they have arrived. */
const mostUnderway = 1024
/** Characters of a snapshot at most: less than any journal takes, whatever they are. */
const largestSnapshot = 5 * 2 ** 20
/** Characters of the message of an error that are kept. */
const longestFailure = 10_000
/** Bytes of state that are checked per message on average: a large state is checked more rarely. */
const checkedBytes = 4096

/** A state as the journal keeps it, made when it is needed. */
export interface KeptState {
  readonly kept: () => unknown
  /** The part of it in which a replay has to agree. */
  readonly digested: () => unknown
}

/** What goes to the disk next. */
class Draft {
  readonly entries: NewEntry[] = []
  readonly blobs: Blob[] = []
  readonly outputs: Output[] = []
  snapshot: Snapshot | undefined
  /** When it goes: with what the actor does in its turn, or with what its handler does next. */
  flush: 'undecided' | 'after-handler' | 'after-turn' = 'undecided'
}

export const failureOf = (error: unknown): Failed['error'] => {
  if (!(error instanceof Error)) return { name: 'Error', message: describeError(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  // Anybody may have set them to anything.
  const { name, message }: { readonly name: unknown; readonly message: unknown } = error
  const text = String(message).slice(0, longestFailure)
  return { name: String(name), message: text, ...(code === undefined ? {} : { code }) }
}

/**
 * The journal of one incarnation of a durable actor. The actor works ahead of the disk, and nothing that follows from
 * what is not on disk yet leaves it: answers, messages and effects wait.
 *
 * 1. Entries are appended in the order in which things happened, each once.
 * 2. An output is released after everything before it is on disk, or refused when that failed; never both.
 * 3. After a failed append nothing more is written: the actor ends, and the next incarnation knows what the disk knows.
 */
export class DurableRecord {
  readonly cell: Cell
  readonly stream: string
  readonly options: Durability
  readonly port: DurabilityPort
  readonly alarm: TimerAlarm
  /** Whether its turns are transitions of a chart, which a replay goes through without any action. */
  readonly isChart: boolean
  /** Grows while it is brought back: see `recovery.ts`. */
  ledger: Ledger
  /** What the journal says about messages that were begun before a crash, by their entry. */
  readonly begun = new Map<number, { readonly script: Script; readonly atMs: number }>()
  /** The entries of messages whose handler has begun effects and is not at its end. */
  readonly #open = new Set<number>()
  /** Effects that run now. */
  readonly running = new Map<string, Promise<unknown>>()
  /** What those of them do whose function runs now. */
  readonly atWork = new Map<string, Promise<unknown>>()
  /** Those of which somebody is asked what became of them. */
  readonly undecided = new Set<string>()
  /** Effects whose message is over, while somebody is asked what became of them. */
  readonly orphans = new Map<string, Promise<void>>()
  /** Whether something else of its logic is going on: what a chart invoked, or waits for. */
  hasOwnWork: () => boolean = () => false
  /** Monotonic milliseconds when it last had something to do. */
  lastBusyMs: number
  #ready = Promise.withResolvers<void>()
  #isReady = false
  #isNew = false
  #seq = 0
  #draft: Draft | undefined
  /** Blobs that are not on disk yet. */
  readonly #newBlobs = new Map<string, string>()
  /** Appends that are not acknowledged yet, and the entries in them. */
  #underway = 0
  #entriesUnderway = 0
  #last: Promise<void> = Promise.resolve()
  #failure: Error | undefined
  #isBlocking = false
  #entriesSinceSnapshot = 0
  #bytesSinceSnapshot = 0
  #snapshotBytes = 0
  #stateBytes = 0
  #checkCredit = 0
  /** Lets out what comes after the end of a turn. */
  readonly #afterwards = (output: Output): void => {
    this.release(output)
  }
  /** Checksum of the state as it is now, when that was made. */
  #digest: number | undefined

  constructor(cell: Cell, options: Durability, port: DurabilityPort, isChart: boolean) {
    this.cell = cell
    this.stream = cell.path
    this.options = options
    this.port = port
    this.ledger = new Ledger(cell.definition.name, cell.input, options.window)
    this.isChart = isChart
    this.alarm = new TimerAlarm(this)
    this.lastBusyMs = cell.kernel.clock.now()
    // Whoever waits learns of a failure; nobody may be waiting.
    this.#ready.promise.catch(() => undefined)
  }

  // ---- being brought back -------------------------------------------------------------------------------------------

  get isReady(): boolean {
    return this.#isReady
  }

  /** Resolves when it has been brought back. Rejects with the reason when it cannot be, or ended before. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** `seq`: the last entry on disk; the counts are of what came after the snapshot. */
  becomeReady(seq: number, entries: number, bytes: number): void {
    this.#seq = seq
    this.#isNew = seq === 0
    this.#entriesSinceSnapshot = entries
    this.#bytesSinceSnapshot = bytes
    this.#isReady = true
    this.#ready.resolve()
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#ready.reject(error)
  }

  /** Whether the journal took no more of it. */
  get isLost(): boolean {
    return this.#failure !== undefined
  }

  /** Nothing is on its way, nothing waits. */
  get isQuiet(): boolean {
    return this.#isReady && this.#underway === 0 && this.#draft === undefined && this.running.size === 0
  }

  /** Whether it waits for nothing but a decision, which may take days. */
  get isLeftToPerson(): boolean {
    if (this.running.size === 0 || this.#underway > 0 || this.#draft !== undefined) return false
    for (const key of this.running.keys()) if (!this.undecided.has(key)) return false
    return true
  }

  // ---- entries ------------------------------------------------------------------------------------------------------

  /** Whether nothing was on disk when it was brought back: its logic begins just now. */
  get isNew(): boolean {
    return this.#isNew
  }

  /** A turn for a message that was taken from the mailbox. `timer`: it is the delayed event of this name. */
  open(message: Message, delivery: Delivery | undefined, timer?: string): Turn {
    const { stream, ledger, isChart } = this
    const nowMs = this.#nowMs
    this.lastBusyMs = this.cell.kernel.clock.now()
    if (delivery === undefined) {
      const received = timer === undefined ? { message } : { timer, message }
      return new Turn(stream, ledger.turns, nowMs, undefined, received, undefined, isChart)
    }
    if (delivery.kind === 'tick')
      return new Turn(stream, ledger.turns, nowMs, undefined, { timer: delivery.key, message }, undefined, isChart)
    // One that came early has its entry since the actor is ready.
    const seq = delivery.kind === 'received' ? delivery.seq : (delivery.seq ?? this.#accept(message, delivery))
    const begun = this.begun.get(seq)
    this.begun.delete(seq)
    if (begun !== undefined) this.#open.add(seq)
    const received = ledger.pending.get(seq) ?? { message }
    return new Turn(stream, ledger.turns, begun?.atMs ?? nowMs, seq, received, begun?.script, isChart)
  }

  /** The first entry of a stream, unless it has one. */
  created(atMs: number): void {
    if (this.#seq > 0) return
    const { definition, input } = this.ledger
    this.#push('created', atMs, input === undefined ? { definition } : { definition, input })
  }

  /** Writes down a durable message that came before the actor was ready, unless it has come before. */
  accept(envelope: Envelope): void {
    const { delivery, message } = envelope
    if (delivery?.kind !== 'incoming' || delivery.seq !== undefined) return
    // Whoever sent it again need not wait until its turn to be left out comes.
    if (this.ledger.seen.has(delivery.id)) this.release(delivery)
    else this.#accept(message, delivery)
  }

  #accept(message: Message, delivery: Delivery & { readonly kind: 'incoming' }): number {
    const seq = this.received({ id: delivery.id, message })
    delivery.seq = seq
    this.release(delivery)
    return seq
  }

  /** A message that has to be on disk before it is handled. Gives its entry. */
  received(body: Received): number {
    const seq = this.#push('received', this.#nowMs, body)
    this.ledger.received(seq, body)
    return seq
  }

  intent(body: Intent): void {
    this.#push('intent', this.#nowMs, body)
    if (body.of !== undefined) this.#open.add(body.of)
    this.ledger.intent(body)
  }

  outcome(body: Outcome, blob: Blob | undefined): void {
    this.#push('outcome', this.#nowMs, body)
    if (blob !== undefined) this.#keepBlob(blob)
    this.ledger.outcome(body)
  }

  #keepBlob(blob: Blob): void {
    this.#draft?.blobs.push(blob)
    this.#newBlobs.set(blob.id, blob.text)
    const forget = (): void => {
      this.#newBlobs.delete(blob.id)
    }
    this.release({ release: forget, refuse: forget })
  }

  /** The text of a blob, on disk already or not. */
  async blob(id: string): Promise<string> {
    return this.#newBlobs.get(id) ?? (await this.port.journal.blob(this.stream, id))
  }

  /** A turn ended well; `state` is the one after it. @throws {NotSerializableError} `NOT_SERIALIZABLE` for a state that is no data. */
  handled(turn: Turn, state: KeptState, changed: boolean): void {
    if (changed || turn.leavesTrace) {
      const digest = this.#check(state.digested)
      this.#digest = digest
      // Checked before anything says that it was handled.
      const text = this.#isSnapshotDue ? encode(state.kept(), 'state') : undefined
      const body: Handled = { ...takenBy(turn), ...(digest === undefined ? {} : { digest }) }
      this.#push('handled', turn.atMs, body)
      this.ledger.handled(body, turn.atMs, turn.timers)
      if (turn.timers !== undefined || turn.received.timer !== undefined) this.alarm.rearm()
      if (turn.of !== undefined) this.#open.delete(turn.of)
      if (text !== undefined) this.#takeSnapshot(text)
    }
    this.#release(turn)
  }

  /**
   * A handler gave back the state that it found. What it changed in that is in no entry, and is noticed when it was
   * checked before: a large state now and then only.
   * @throws {NotReplayableError} `NOT_REPLAYABLE`
   */
  gaveBack({ received }: Turn, state: KeptState): void {
    const before = this.#digest
    const digest = this.#check(state.digested)
    if (digest === undefined) return
    this.#digest = digest
    if (before === undefined || before === digest) return
    const what = 'a state that is changed in place'
    throw new NotReplayableError(this.stream, received.message.type, what, 'return a new state, and leave the old one')
  }

  /** A turn set its message aside: nothing is written, and the message comes again. */
  setAside(turn: Turn, delivery: Delivery | undefined): void {
    if (delivery?.kind === 'tick') this.alarm.setAside(delivery)
    this.#release(turn)
  }

  #release(turn: Turn): void {
    turn.end(this.#afterwards)
    for (const output of turn.outputs ?? []) this.release(output)
  }

  /** A turn ended in failure, and its message is given up. */
  failed(turn: Turn, error: unknown): void {
    this.left(turn, exits.crash(error))
    // One that was cut off by a stop had nothing on disk: nobody has to know of it.
    if (this.#failure !== undefined || this.cell.aborted) return
    const body: Failed = { ...takenBy(turn), error: failureOf(error) }
    // What cannot be written down is named at least.
    if (body.message !== undefined && !this.#canWrite(body)) body.message = { type: body.message.type }
    if (turn.of !== undefined) this.#open.delete(turn.of)
    this.#push('failed', turn.atMs, body)
    this.ledger.failed(body, turn.atMs)
    if (turn.received.timer !== undefined) this.alarm.rearm()
  }

  #canWrite(body: Failed): boolean {
    try {
      this.textOf('failed', body)
      return true
    } catch {
      return false
    }
  }

  /**
   * A turn ended in failure, and the next incarnation tries its message again: as one that comes just now, for which
   * effects that failed may run again too. Gives its new entry; undefined when the journal does not have the message.
   */
  again(turn: Turn, error: unknown): number | undefined {
    if (turn.of === undefined) {
      this.left(turn, exits.crash(error))
      return undefined
    }
    this.failed(turn, error)
    return this.received(turn.received)
  }

  /** A turn came to no end, and its message stays where it is: what it does not let out is refused. */
  left(turn: Turn, reason: ExitReason): void {
    turn.end(this.#afterwards)
    const down = new TargetDownError(this.stream, turn.received.message.type, reason)
    for (const output of turn.outputs ?? []) output.refuse(down)
  }

  /** Lets out what follows from everything up to here, once that is on disk. */
  release(output: Output): void {
    if (this.#failure !== undefined) output.refuse(this.#failure)
    else if (this.#draft !== undefined) this.#draft.outputs.push(output)
    else if (this.#underway === 0) output.release()
    else {
      this.#last.then(
        () => {
          output.release()
        },
        (error: unknown) => {
          output.refuse(asError(error))
        },
      )
    }
  }

  /** Resolves when everything up to here is on disk. */
  onDisk(): Promise<void> {
    return new Promise((release, refuse) => {
      this.release({ release, refuse })
    })
  }

  /** Resolves when what is on its way is on disk, or lost; undefined when nothing is. */
  get written(): Promise<void> | undefined {
    return this.#underway === 0 ? undefined : this.#last.catch(() => undefined)
  }

  /**
   * The end. After a clean one, with `state`, the next incarnation begins with what this one knows, without going through
   * its messages again.
   */
  close(state: (() => unknown) | undefined): void {
    if (state !== undefined && this.#isReady && this.#failure === undefined && this.#mayTakeLast) {
      try {
        this.#takeSnapshot(encode(state(), 'state'))
      } catch (error) {
        this.cell.kernel.observerFailed(`last snapshot of ${this.stream}`, error)
      }
    }
    // What was handled goes to the disk now, before the next incarnation reads what is there.
    this.#flush(this.#draft)
    this.#isReady = false
    if (this.cell.exit !== undefined)
      this.#ready.reject(new TargetDownError(this.stream, 'actor.started', this.cell.exit))
  }

  /** A snapshot does not know how far a handler has come, so one that was cut off goes on by its entries. */
  get #mayTakeLast(): boolean {
    return this.#entriesSinceSnapshot > 0 && this.#open.size === 0 && this.begun.size === 0
  }

  get #nowMs(): number {
    return this.cell.kernel.clock.wallNow()
  }

  /**
   * What an entry says, as it is written. What cannot be written is refused here, before anybody else goes with it.
   * @throws {NotSerializableError} `NOT_SERIALIZABLE`, {EntryTooLargeError} `ENTRY_TOO_LARGE`
   */
  textOf(kind: EntryKind, body: unknown): string {
    const text = encode(body, kind)
    const { maxEntryBytes } = this.port.journal
    if (fits(text, maxEntryBytes)) return text
    throw new EntryTooLargeError(`An entry '${kind}' of ${this.stream}`, Buffer.byteLength(text), maxEntryBytes)
  }

  #push(kind: EntryKind, atMs: number, body: unknown): number {
    const entry: NewEntry = { kind, version: this.options.version, atMs, body: this.textOf(kind, body) }
    if (this.#seq === 0 && kind !== 'created') this.created(atMs)
    this.#seq += 1
    this.#entriesSinceSnapshot += 1
    this.#bytesSinceSnapshot += entry.body.length
    // Nobody waits for an outcome: most are followed by the intent of the next effect, and go with it.
    const draft = kind === 'outcome' ? this.#flushAfterHandler() : this.#flushAfterTurn()
    draft.entries.push(entry)
    return this.#seq
  }

  #flushAfterTurn(): Draft {
    const draft = (this.#draft ??= new Draft())
    if (draft.flush === 'after-turn') return draft
    draft.flush = 'after-turn'
    this.cell.kernel.defer(() => {
      this.#flush(draft)
    })
    return draft
  }

  #flushAfterHandler(): Draft {
    const draft = (this.#draft ??= new Draft())
    if (draft.flush !== 'undecided') return draft
    draft.flush = 'after-handler'
    this.cell.kernel.later(() => {
      this.#flush(draft)
    })
    return draft
  }

  /** Sends a draft on its way, unless it has gone. */
  #flush(draft: Draft | undefined): void {
    if (draft === undefined || draft !== this.#draft) return
    this.#draft = undefined
    const { entries, blobs, snapshot, outputs } = draft
    if (this.#failure !== undefined) {
      for (const output of outputs) output.refuse(this.#failure)
      return
    }
    this.#underway += 1
    this.#entriesUnderway += entries.length
    this.#holdBack()
    const { wakeAtMs } = this.ledger
    const { stream } = this
    const expectedSeq = this.#seq - entries.length
    const written = this.port.journal.append([{ stream, expectedSeq, entries, snapshot, blobs, wakeAtMs }])
    this.#last = written.then(
      () => {
        this.#arrived(entries.length)
        for (const output of outputs) output.release()
      },
      (error: unknown) => {
        this.#arrived(entries.length)
        this.#lost(asError(error), outputs)
        throw error
      },
    )
    this.#last.catch(() => undefined)
  }

  #arrived(entries: number): void {
    this.#underway -= 1
    this.#entriesUnderway -= entries
    this.lastBusyMs = this.cell.kernel.clock.now()
    if (this.#isBlocking && this.#entriesUnderway <= mostUnderway / 2) {
      this.#isBlocking = false
      outside(() => {
        if (this.cell.busy === 'blocked') this.cell.unblock()
      })
    }
  }

  /** The disk is slower than this actor: its mailbox has to wait, so that memory stays bounded. */
  #holdBack(): void {
    if (this.#entriesUnderway <= mostUnderway || this.cell.busy !== undefined) return
    this.#isBlocking = true
    this.cell.block()
  }

  /** An append failed: what this incarnation knows is more than the disk does, so it ends. */
  #lost(error: Error, outputs: readonly Output[]): void {
    const isFirst = this.#failure === undefined
    this.fail(error)
    for (const output of outputs) output.refuse(error)
    if (!isFirst) return
    if (this.cell.status === 'stopped') this.cell.kernel.observerFailed(`journal of ${this.stream}`, error)
    else this.cell.loseJournal(error)
  }

  // ---- checks and snapshots -----------------------------------------------------------------------------------------

  /** The checksum of the state, unless it is so large that it is another message's turn to be checked. */
  #check(state: () => unknown): number | undefined {
    this.#checkCredit += checkedBytes
    if (this.#checkCredit < this.#stateBytes) return undefined
    const text = encode(state(), 'state')
    this.#stateBytes = text.length
    this.#checkCredit = 0
    return digestOf(text)
  }

  /** With one more entry: after so many entries or bytes, but not before they weigh half as much as the snapshot would. */
  get #isSnapshotDue(): boolean {
    const { snapshotEntries, snapshotBytes } = this.options
    const isDue = this.#entriesSinceSnapshot + 1 >= snapshotEntries || this.#bytesSinceSnapshot >= snapshotBytes
    return isDue && this.#bytesSinceSnapshot * 2 >= this.#snapshotBytes
  }

  /** `state`: its text. */
  #takeSnapshot(state: string): void {
    const { body, blobs } = this.ledger.snapshot(state)
    this.#snapshotBytes = body.length
    if (body.length > largestSnapshot || !fits(body, this.port.journal.maxEntryBytes)) {
      // The entries do without; to refuse them with it would stop the actor for good.
      const error = new EntryTooLargeError(`The snapshot of ${this.stream}`, body.length, largestSnapshot)
      this.cell.kernel.observerFailed(`snapshot of ${this.stream}`, error)
      return
    }
    this.#flushAfterTurn().snapshot = { seq: this.#seq, version: this.options.version, atMs: this.#nowMs, body, blobs }
    this.#entriesSinceSnapshot = 0
    this.#bytesSinceSnapshot = 0
  }
}

/** What an entry says of the message of a turn: the entry that has it, or itself. */
function takenBy({ of, received }: Turn): Taken {
  if (of === undefined) return received
  const { id, timer } = received
  return { of, ...(id === undefined ? {} : { id }), ...(timer === undefined ? {} : { timer }) }
}
