import { DefinitionInvalidError } from '../core/errors.ts'
import type { Message } from '../core/message.ts'
import { currentContext } from './ambient.ts'
import type { Cell } from './cell.ts'
import { parse } from './delivery.ts'
import { NotReplayableError, waitForAll } from './durable/errors.ts'
import type { Turn } from './durable/turn.ts'
import { checkDelay, cronRecurrence, delayUntil, everyRecurrence, nextCron } from './schedule.ts'
import type { ActorTimers } from './timers.ts'

// The two kinds of timers that a context offers. `guarded` runs what it is given unless the incarnation is fenced.

type Guarded = (run: () => void) => void

/** Timers of one incarnation. */
export const volatileTimers = (cell: Cell, guarded: Guarded): ActorTimers<Message> => {
  const { clock } = cell.kernel
  const start = (key: unknown, delayMs: number, message: Message, again?: () => number | undefined): void => {
    guarded(() => {
      cell.timers.start(key, delayMs, parse(cell, message), again)
    })
  }
  return {
    after: (key, delayMs, message) => {
      start(key, checkDelay(delayMs), message)
    },
    at: (key, moment, message) => {
      start(key, delayUntil(moment, clock.wallNow()), message)
    },
    every: (key, periodMs, message, { missed } = {}) => {
      everyRecurrence(periodMs, missed)
      start(key, periodMs, message, () => periodMs)
    },
    cron: (key, pattern, message, options = {}) => {
      const recurrence = cronRecurrence(pattern, options, clock.wallNow())
      const next = (): number | undefined => {
        const nowMs = clock.wallNow()
        const nextMs = nextCron(recurrence, nowMs)
        return nextMs === undefined ? undefined : nextMs - nowMs
      }
      start(key, next() ?? 0, message, next)
    },
    cancel: (key) => cell.timers.cancel(key),
    active: (key) => cell.timers.has(key),
  }
}

/**
 * Timers of a durable actor: they change when the message at hand is handled, and are in its journal from then on. One of
 * the same key that a signal set ends at once; what a handler is told is not about those, which no replay knows.
 */
export const durableTimers = (cell: Cell, turn: Turn, guarded: Guarded): ActorTimers<Message> => {
  const keyOf = (key: unknown): string => {
    if (typeof key === 'string') return key
    throw new DefinitionInvalidError(
      `timers of ${cell.path}`,
      `a key is a text in a durable actor, not a ${typeof key}`,
    )
  }
  const { atMs } = turn
  // A replay comes by neither the code of an effect nor the actions of a chart.
  const refuseElsewhere = (): void => {
    const { type } = turn.received.message
    if (turn.isChart)
      throw new NotReplayableError(cell.path, type, 'a timer', 'use `after`, or `raise` with a delay, in the chart')
    if (turn.isOver) throw new NotReplayableError(cell.path, type, 'a timer after the end', waitForAll)
    if (currentContext()?.turn !== turn)
      throw new NotReplayableError(cell.path, type, 'a timer that an effect sets', 'set it in the handler')
  }
  const set = (
    key: unknown,
    dueMs: number,
    message: Message,
    recurrence?: ReturnType<typeof everyRecurrence> | ReturnType<typeof cronRecurrence>,
  ): void => {
    guarded(() => {
      refuseElsewhere()
      cancelOfIncarnation(key)
      turn.setTimer(keyOf(key), { dueMs, message: parse(cell, message), recurrence })
    })
  }
  const cancelOfIncarnation = (key: unknown): void => {
    cell.madeParts?.timers?.cancel(key)
  }
  const active = (key: unknown): boolean => {
    const text = keyOf(key)
    if (turn.timers?.has(text) === true) return turn.timers.get(text) !== undefined
    return cell.record?.ledger.timers.has(text) === true
  }
  return {
    after: (key, delayMs, message) => {
      set(key, atMs + checkDelay(delayMs), message)
    },
    at: (key, moment, message) => {
      set(key, atMs + delayUntil(moment, atMs), message)
    },
    every: (key, periodMs, message, { missed } = {}) => {
      const recurrence = everyRecurrence(periodMs, missed)
      set(key, atMs + periodMs, message, recurrence)
    },
    cron: (key, pattern, message, options = {}) => {
      const recurrence = cronRecurrence(pattern, options, atMs)
      set(key, nextCron(recurrence, atMs) ?? atMs, message, recurrence)
    },
    cancel: (key) => {
      refuseElsewhere()
      cancelOfIncarnation(key)
      const was = active(key)
      if (was) turn.setTimer(keyOf(key), undefined)
      return was
    },
    active,
  }
}
