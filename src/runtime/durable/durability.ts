import type { Cell } from '../../actors/cell.ts'
import type { DurabilityPort } from '../../actors/durable/port.ts'
import type { DurableRecord } from '../../actors/durable/record.ts'
import type { Clock } from '../../core/clock.ts'
import { eventChannels } from '../../core/events.ts'
import { actorPath } from '../../core/ids.ts'
import type { Journal } from '../../core/journal.ts'
import type { InDoubt, Resolution } from '../../core/services.ts'
import type { NodeKernel } from '../node-kernel.ts'
import { Doubts, type DoubtRule } from './doubts.ts'
import { Gate } from './gate.ts'
import { Passivation } from './passivation.ts'
import { Patience, type Terms } from './patience.ts'
import { SharedJournal } from './shared-journal.ts'
import { Waker } from './waker.ts'

/** Actors that are brought back at the same time at most: Pekko's bound. */
const recoveriesAtOnce = 50
/** Milliseconds after which one that is still going on does not count: handlers that hang hold up nobody else. */
const recoveryMs = 10_000
/** For those who lost their journal. Who tells and asks meanwhile waits for it too, so not long. */
const afterLoss: Terms = { minMs: 50, maxMs: 2000, resetAfterMs: 10_000, free: 1 }

export interface DurabilityOptions {
  readonly journal: Journal
  readonly rule: DoubtRule | undefined
  /** Starts the actor of a stream, if its definition is known. Undefined when it is not. */
  readonly activate: (stream: string) => Promise<void> | undefined
}

/** What all durable actors of a runtime share. */
export class Durability implements DurabilityPort {
  readonly journal: SharedJournal
  readonly doubts: Doubts
  readonly #clock: Clock
  readonly #gate = new Gate(recoveriesAtOnce)
  /** A disk that stays full is not kept busy by those who have something to write as soon as they are up. */
  readonly #patience: Patience
  readonly #passivation: Passivation
  readonly #waker: Waker
  /** What effects of incarnations that have ended still do, by their stream and key. */
  readonly #atWork = new Map<string, Map<string, Promise<unknown>>>()
  /** What incarnations that have ended still have on its way to the disk, by their stream. */
  readonly #leaving = new Map<string, Promise<void>>()

  constructor(kernel: NodeKernel, { journal, rule, activate }: DurabilityOptions) {
    this.journal = new SharedJournal(journal, kernel.clock, kernel.later)
    this.#clock = kernel.clock
    this.#patience = new Patience(afterLoss, kernel.clock, kernel.random.fork('patience'))
    this.doubts = new Doubts(kernel, rule)
    this.#passivation = new Passivation(kernel.clock)
    this.#waker = new Waker(journal, kernel.clock, kernel.random.fork('waker'), activate, (error) => {
      kernel.observerFailed('waking of durable actors', error)
    })
  }

  async recover(cell: Cell, run: () => Promise<void>): Promise<void> {
    const wait = this.#patience.wait(cell)
    if (wait !== undefined) await wait
    const leave = await this.#gate.enter()
    const slow = this.#clock.setTimeout(leave, recoveryMs)
    const forget = cell.onEnd(leave)
    try {
      if (cell.status !== 'stopped') await run()
    } finally {
      this.#clock.clearTimeout(slow)
      forget()
      leave()
    }
  }

  settle(doubt: InDoubt, signal: AbortSignal): Promise<Resolution> {
    return this.doubts.settle(doubt, signal, this.#atWork.get(doubt.stream)?.get(doubt.key))
  }

  leaving(stream: string): Promise<void> | undefined {
    return this.#leaving.get(stream)
  }

  activated(record: DurableRecord): void {
    this.#waker.isUp(record.stream)
    if (record.cell.rules.isPassive) this.#passivation.add(record)
  }

  ended(record: DurableRecord): void {
    this.#passivation.delete(record)
    const { stream, written, cell } = record
    for (const [key, attempt] of record.atWork) this.#leaveAtWork(stream, key, attempt)
    if (cell.madeParts?.isBlameless === true) this.#patience.failed(stream)
    if (written === undefined) {
      this.#waker.isDown(record)
      return
    }
    this.#leaving.set(stream, written)
    void written.then(() => {
      if (this.#leaving.get(stream) === written) this.#leaving.delete(stream)
      this.#waker.isDown(record)
    })
  }

  #leaveAtWork(stream: string, key: string, attempt: Promise<unknown>): void {
    const ofStream = this.#atWork.get(stream) ?? new Map<string, Promise<unknown>>()
    this.#atWork.set(stream, ofStream.set(key, attempt))
    const over = (): void => {
      if (ofStream.get(key) === attempt) ofStream.delete(key)
      if (ofStream.size === 0 && this.#atWork.get(stream) === ofStream) this.#atWork.delete(stream)
    }
    attempt.then(over, over)
  }

  /** Wakes what is due from now on. */
  start(): void {
    this.#waker.start()
  }

  /** A definition became known: what waits for it may be woken. */
  definitionAdded(): void {
    this.#waker.look()
  }

  /** Nobody is woken any more. */
  stop(): void {
    this.#waker.stop()
    this.#passivation.stop()
  }
}

/** Says that the journal takes nothing more. */
export function sayJournalFailed(kernel: NodeKernel, error: Error): void {
  const events = eventChannels['journal-failed']
  if (!events.hasSubscribers) return
  const { id, node, clock } = kernel
  events.publish({
    type: 'journal-failed',
    runtime: id,
    node,
    path: actorPath('/'),
    incarnation: 1,
    atMs: clock.wallNow(),
    error,
  })
}
