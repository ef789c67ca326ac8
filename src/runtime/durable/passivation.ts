import type { DurableRecord } from '../../actors/durable/record.ts'
import type { Clock, TimerHandle } from '../../core/clock.ts'
import { eventChannels } from '../../core/events.ts'
import { exits } from '../../core/exit.ts'

/** Milliseconds between two looks, at most and at least; otherwise half of the shortest idle time. */
const longestMs = 30_000
const shortestMs = 10

/**
 * Sends durable actors out of memory that have had nothing to do for a while. Busy is one with messages, a handler at
 * work, an open question, a timer, a child, an effect, or something on its way to the disk.
 */
export class Passivation {
  readonly #clock: Clock
  readonly #records = new Set<DurableRecord>()
  #handle: TimerHandle | undefined
  #everyMs = longestMs

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(record: DurableRecord): void {
    const { passivateAfterMs } = record.options
    if (passivateAfterMs === Infinity) return
    this.#records.add(record)
    const everyMs = Math.max(shortestMs, Math.min(this.#everyMs, passivateAfterMs / 2))
    if (this.#handle !== undefined && everyMs === this.#everyMs) return
    this.#everyMs = everyMs
    this.#arm()
  }

  delete(record: DurableRecord): void {
    if (this.#records.delete(record) && this.#records.size === 0) this.stop()
  }

  stop(): void {
    this.#clock.clearTimeout(this.#handle)
    this.#handle = undefined
    this.#everyMs = longestMs
  }

  #arm(): void {
    this.#clock.clearTimeout(this.#handle)
    this.#handle = this.#clock.setTimeout(() => {
      this.#handle = undefined
      this.#look()
      if (this.#records.size > 0) this.#arm()
    }, this.#everyMs)
  }

  #look(): void {
    const nowMs = this.#clock.now()
    for (const record of this.#records) {
      const idleMs = nowMs - record.lastBusyMs
      if (idleMs < record.options.passivateAfterMs || isBusy(record)) continue
      this.#records.delete(record)
      const { cell } = record
      // From here on what comes for it waits for the next one.
      cell.stopForGood(exits.shutdown('passivated'))
      if (eventChannels.passivated.hasSubscribers)
        eventChannels.passivated.publish({ type: 'passivated', ...cell.origin, idleMs })
    }
  }
}

function isBusy({ cell, isQuiet, ledger, orphans, hasOwnWork }: DurableRecord): boolean {
  if (!cell.isQuiet || !isQuiet || cell.hasSetAside || orphans.size > 0 || hasOwnWork()) return true
  if (ledger.timers.size > 0 || (cell.madeParts?.timers?.size ?? 0) > 0) return true
  return (cell.children?.size ?? 0) > 0
}
