import type { TimerHandle } from '../../core/clock.ts'
import { eventChannels } from '../../core/events.ts'
import type { Message } from '../../core/message.ts'
import type { JournalEntry } from '../../core/journal.ts'
import { JournalCorruptError } from '../../core/journal-errors.ts'
import type { Cell } from '../cell.ts'
import { parseInput } from '../input.ts'
import { Envelope, isInJournal } from '../envelope.ts'
import { openEntry, openSnapshot, type Intent, type Outcome, type Taken } from './bodies.ts'
import { stuckMs } from './effects.ts'
import { EchelonError } from '../../core/errors.ts'
import { describeError } from '../../core/exit.ts'
import { ReplayDivergedError, StreamMismatchError } from './errors.ts'
import { digestOf, Ledger } from './ledger.ts'
import { Migrator } from './migrate.ts'
import type { DurableRecord } from './record.ts'
import { Script, type Begun } from './script.ts'
import { Turn } from './turn.ts'
import { encode } from './values.ts'

/** The logic of an actor that is being brought back. */
export interface Rebuild {
  /** Begins with the first state, for the input that the ledger has, at `atMs`. */
  begin(atMs: number): void
  /** Begins with the state of a snapshot. */
  restore(state: unknown): void
  /** Goes through a message again, without effects. Throws what the logic throws. */
  replay(turn: Turn, message: Message): Promise<void> | undefined
  /** The part of the state that it has come to in which it has to agree. */
  digested(): unknown
}

interface Effects {
  readonly begun: Begun[]
  readonly outcomes: Outcome[]
}

/** A stream with so many entries to go through says how far it is every so many. */
const progressEvery = 10_000

/**
 * Brings one actor back: its snapshot, then the entries after it. Messages that were handled are gone through again with
 * the outcomes that their effects had; those that were not are put into its mailbox.
 *
 * 1. The same entries always give the same state and the same ledger.
 * 2. What the code does differently from what the journal says is found at the first entry that shows it.
 */
export class Recovery {
  readonly #cell: Cell
  readonly #record: DurableRecord
  readonly #rebuild: Rebuild
  readonly #migrator: Migrator
  /** Effects of messages that are not handled yet, by their entry. */
  readonly #effects = new Map<number, Effects>()
  #seq = 0
  #entries = 0
  #bytes = 0
  /** Whether everything so far was written by the current version: only then states must be equal. */
  #isExact = true

  constructor(cell: Cell, record: DurableRecord, rebuild: Rebuild) {
    this.#cell = cell
    this.#record = record
    this.#rebuild = rebuild
    this.#migrator = new Migrator(record.stream, record.options)
  }

  /** Rejects with `REPLAY_DIVERGED`, `VERSION_MISMATCH`, `STREAM_MISMATCH`, `JOURNAL_CORRUPT`, or as the journal does. */
  async run(): Promise<void> {
    const { stream, port } = this.#record
    const { clock } = this.#cell.kernel
    const startMs = clock.now()
    await port.leaving(stream)
    const { snapshot, entries, lastSeq } = await port.journal.load(stream)
    if (lastSeq === 0) this.#beginNew()
    if (snapshot !== undefined) this.#restore(snapshot.seq, snapshot.version, snapshot.body)
    for (let page = entries; ; page = await port.journal.read(stream, this.#seq)) {
      for (const entry of page) {
        if (entry.seq !== this.#seq + 1) throw this.#missing()
        const replayed = this.#apply(entry)
        if (replayed !== undefined) await replayed
        if (this.#cell.status === 'stopped') return
      }
      if (this.#seq >= lastSeq) break
      if (page.length === 0 && page !== entries) throw this.#missing()
    }
    this.#finish()
    const events = eventChannels.recovered
    if (!events.hasSubscribers) return
    const { origin } = this.#cell
    events.publish({
      type: 'recovered',
      ...origin,
      entries: this.#entries,
      snapshotSeq: snapshot?.seq ?? 0,
      durationMs: clock.now() - startMs,
    })
  }

  /** The journal says that there are more entries than it has. */
  #missing(): JournalCorruptError {
    const { stream } = this.#record
    return new JournalCorruptError(`of ${stream}`, `after entry ${this.#seq}`, 'the next entry is missing')
  }

  #beginNew(): void {
    const { definition, input, kernel } = this.#cell
    if (input === undefined) this.#record.ledger.input = parseInput(definition, undefined)
    // Refused before anything comes of it.
    this.#record.textOf('created', { input: this.#record.ledger.input })
    this.#rebuild.begin(kernel.clock.wallNow())
  }

  #restore(seq: number, version: number, body: string): void {
    const opened = openSnapshot(this.#record.stream, body)
    this.#checkDefinition(opened.definition)
    const migrator = this.#migrator
    if (!migrator.isCurrent(version)) this.#isExact = false
    const ledger = Ledger.from(opened, this.#record.options.window)
    for (const [of, received] of ledger.pending)
      ledger.pending.set(of, { ...received, message: migrator.message(received.message, version, seq) })
    for (const [key, timer] of ledger.timers)
      ledger.setTimer(key, { ...timer, message: migrator.message(timer.message, version, seq) })
    this.#record.ledger = ledger
    this.#seq = seq
    this.#rebuild.restore(migrator.state(opened.state, version, seq))
  }

  #checkDefinition(found: string): void {
    const { name } = this.#cell.definition
    if (found !== name) throw new StreamMismatchError(this.#record.stream, found, name)
  }

  #apply(raw: JournalEntry): Promise<void> | undefined {
    const entry = openEntry(raw)
    const { kind, seq, version, atMs, body } = entry
    const { ledger } = this.#record
    this.#seq = seq
    this.#entries += 1
    this.#bytes += raw.body.length
    if (this.#entries % progressEvery === 0) this.#sayProgress()
    switch (kind) {
      case 'created':
        this.#checkDefinition(body.definition)
        ledger.input = body.input
        this.#rebuild.begin(atMs)
        return undefined
      case 'received':
        ledger.received(seq, { ...body, message: this.#migrator.message(body.message, version, seq) })
        return undefined
      case 'intent':
        if (!this.#isOpen(body.of)) ledger.intent(body)
        else this.#effectsOf(body.of).begun.push({ seq, intent: body })
        return undefined
      case 'outcome':
        if (!this.#isOpen(body.of)) ledger.outcome(body)
        else this.#effectsOf(body.of).outcomes.push(body)
        return undefined
      case 'failed': {
        const effects = this.#takeEffects(body.of)
        this.#settleEffects(effects)
        ledger.failed(body, atMs)
        return undefined
      }
      case 'handled':
        return this.#replay(this.#messageOf(body, version, seq), body, entry)
      default:
        return entry satisfies never
    }
  }

  #messageOf(body: Taken, version: number, seq: number): Message {
    if (body.message !== undefined) return this.#migrator.message(body.message, version, seq)
    const message = this.#record.ledger.messageOf(body)
    if (message !== undefined) return message
    throw new ReplayDivergedError(this.#record.stream, seq, `there is no entry ${body.of} to be handled`)
  }

  async #replay(
    message: Message,
    body: Taken & { readonly digest?: number | undefined },
    { seq, version, atMs }: { readonly seq: number; readonly version: number; readonly atMs: number },
  ): Promise<void> {
    const { stream, ledger } = this.#record
    const effects = this.#takeEffects(body.of)
    const { begun, outcomes } = effects
    const script = new Script(stream, seq, begun, outcomes, this.#cell.kernel.later)
    const received = { id: body.id, timer: body.timer, message }
    const turn = new Turn(stream, ledger.turns, atMs, body.of, received, script)
    try {
      await this.#replayed(script, () => this.#rebuild.replay(turn, message))
    } catch (error) {
      if (error instanceof EchelonError && error.code !== 'EFFECT_FAILED') throw error
      throw new ReplayDivergedError(stream, seq, `the handler of '${message.type}' fails now: ${describeError(error)}`)
    }
    turn.end(() => undefined)
    const { divergence } = script
    if (divergence !== undefined) throw divergence
    this.#settleEffects(effects)
    ledger.handled(body, atMs, turn.timers)
    if (!this.#migrator.isCurrent(version)) this.#isExact = false
    if (!this.#isExact || body.digest === undefined) return
    const state = encode(this.#rebuild.digested(), 'state')
    if (digestOf(state) !== body.digest)
      throw new ReplayDivergedError(
        stream,
        seq,
        `'${message.type}' led to another state than now: ${state.slice(0, 200)}`,
      )
  }

  /** Waits for a handler that is gone through again. Rejects with `REPLAY_DIVERGED` when it waits for what does not come. */
  async #replayed(script: Script, replay: () => Promise<void> | undefined): Promise<void> {
    const { clock } = this.#cell.kernel
    let timer: TimerHandle | undefined
    const { promise: stuck, reject } = Promise.withResolvers<never>()
    const look = (): void => {
      timer = undefined
      if (script.isStuck) reject(script.stuck())
    }
    script.onStuck = () => {
      timer ??= clock.setTimeout(look, stuckMs)
    }
    try {
      const replayed = replay()
      if (replayed !== undefined) await Promise.race([replayed, stuck])
    } finally {
      clock.clearTimeout(timer)
      // Those that had not ended are not waited for by what comes next.
      this.#record.running.clear()
    }
  }

  /** Whether an effect is of a message that is not handled yet. Others are of handlers that did not wait for them. */
  #isOpen(of: number | undefined): of is number {
    return of !== undefined && this.#record.ledger.pending.has(of)
  }

  #effectsOf(of: number): Effects {
    let effects = this.#effects.get(of)
    if (effects === undefined) this.#effects.set(of, (effects = { begun: [], outcomes: [] }))
    return effects
  }

  #takeEffects(of: number | undefined): Effects {
    if (of === undefined) return { begun: [], outcomes: [] }
    const effects = this.#effectsOf(of)
    this.#effects.delete(of)
    return effects
  }

  /** The message is over: what is known of its effects stays known, and what is in doubt stays so. */
  #settleEffects(effects: Effects): void {
    const { ledger } = this.#record
    for (const outcome of effects.outcomes) ledger.outcome(outcome)
    for (const intent of inDoubt(effects)) ledger.intent(intent)
  }

  /** Puts what is not handled into the mailbox, before what came meanwhile; what was begun goes on first. */
  #finish(): void {
    const record = this.#record
    const { ledger } = record
    for (const [of, { begun, outcomes }] of this.#effects) {
      for (const intent of inDoubt({ begun, outcomes })) ledger.intent(intent)
      const atMs = begun[0]?.intent.atMs ?? this.#cell.kernel.clock.wallNow()
      record.begun.set(of, {
        script: new Script(record.stream, undefined, begun, outcomes, this.#cell.kernel.later),
        atMs,
      })
    }
    // A mailbox that was kept may have what comes from the journal too.
    this.#cell.queue?.takeOut(isInJournal)
    // One that is tried again keeps its place too.
    const isFirst = (seq: number): boolean => record.begun.has(seq) || this.#cell.madeParts?.failing?.item === seq
    const pending = [...ledger.pending].sort(([a], [b]) => Number(isFirst(b)) - Number(isFirst(a)) || a - b)
    for (const [seq, { message }] of pending.reverse()) {
      const delivery = { kind: 'received', seq } as const
      this.#cell.lane.forceFirst(new Envelope(message, undefined, undefined, undefined, undefined, delivery))
    }
    record.becomeReady(this.#seq, this.#entries, this.#bytes)
  }

  #sayProgress(): void {
    const events = eventChannels.recovering
    if (events.hasSubscribers) events.publish({ type: 'recovering', ...this.#cell.origin, entries: this.#entries })
  }
}

/** The effects of a message that were begun and did not end. One that failed may have been begun again. */
function inDoubt({ begun, outcomes }: Effects): readonly Intent[] {
  const ended = new Map<string, number>()
  for (const { key } of outcomes) ended.set(key, (ended.get(key) ?? 0) + 1)
  return begun.flatMap(({ intent }) => {
    const left = ended.get(intent.key) ?? 0
    ended.set(intent.key, left - 1)
    return left > 0 ? [] : [intent]
  })
}
