import { Cron } from 'croner'
import { DefinitionInvalidError } from '../core/errors.ts'
import { describeError } from '../core/exit.ts'
import type { Message } from '../core/message.ts'

/**
 * What becomes of ticks whose time passed while nobody was there. `skip`: they are left out. `one`: one tick for all of
 * them, at once. `all`: each, one after another, the last 1,000 at most.
 */
export type MissedTicks = 'skip' | 'one' | 'all'

/** When a timer comes back after a tick. */
export type Recurrence =
  | { readonly kind: 'every'; readonly periodMs: number; readonly missed: MissedTicks }
  | { readonly kind: 'cron'; readonly pattern: string; readonly timezone: string; readonly missed: MissedTicks }

/** A timer as a journal keeps it. */
export interface DurableTimer {
  /** Epoch milliseconds. */
  readonly dueMs: number
  readonly message: Message
  readonly recurrence: Recurrence | undefined
}

/** Missed ticks that `all` makes up for at most, beside the one that was just taken up. */
const catchUp = 999

export interface CronOptions {
  /** IANA name: `Europe/Berlin`. Default: UTC, which is the same on every machine. */
  readonly timezone?: string
  /** Default `one`. */
  readonly missed?: MissedTicks
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a pattern or a time zone that is none, or that never comes. */
export function cronRecurrence(
  pattern: string,
  { timezone = 'UTC', missed = 'one' }: CronOptions,
  nowMs: number,
): Recurrence & { readonly kind: 'cron' } {
  const recurrence = { kind: 'cron', pattern, timezone, missed } as const
  checkMissed(missed)
  try {
    if (nextCron(recurrence, nowMs) !== undefined) return recurrence
  } catch (error) {
    throw new DefinitionInvalidError(`timers.cron('${pattern}', ${timezone})`, describeError(error))
  }
  throw new DefinitionInvalidError(`timers.cron('${pattern}', ${timezone})`, 'never comes')
}

/** Milliseconds until a moment. @throws {DefinitionInvalidError} `DEFINITION_INVALID` */
export function delayUntil(moment: Date | number, nowMs: number): number {
  const atMs = Number(moment)
  if (!Number.isFinite(atMs))
    throw new DefinitionInvalidError('timers.at', `${String(moment)} is no moment: give a Date or epoch milliseconds`)
  return Math.max(0, atMs - nowMs)
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` */
export function checkDelay(delayMs: number): number {
  if (delayMs >= 0) return delayMs
  throw new DefinitionInvalidError('timers.after', `${delayMs} is no delay: give milliseconds, 0 or more`)
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` */
export function everyRecurrence(
  periodMs: number,
  missed: MissedTicks = 'one',
): Recurrence & { readonly kind: 'every' } {
  if (!(periodMs > 0 && periodMs < Infinity))
    throw new DefinitionInvalidError('timers.every', `${periodMs} is no period: give milliseconds above 0`)
  checkMissed(missed)
  return { kind: 'every', periodMs, missed }
}

function checkMissed(missed: string): void {
  if (missed !== 'skip' && missed !== 'one' && missed !== 'all')
    throw new DefinitionInvalidError('timers', `missed '${missed}' is none of skip, one, all`)
}

/** The first moment of a cron pattern after `afterMs`; undefined when there is none. Both in epoch milliseconds. */
export function nextCron(
  { pattern, timezone }: Recurrence & { readonly kind: 'cron' },
  afterMs: number,
): number | undefined {
  return new Cron(pattern, { timezone, paused: true }).nextRun(new Date(afterMs))?.getTime()
}

/** Epoch milliseconds from which on ticks are made up for after one was taken up at `atMs`. */
function catchUpFrom(recurrence: Recurrence & { readonly kind: 'cron' }, atMs: number): number {
  return (
    momentsAround(recurrence, atMs)
      .filter((moment) => moment <= atMs)
      .at(-catchUp) ?? -Infinity
  )
}

/** Moments of a pattern in the minute of `atMs` and as many before it as are made up for, oldest first. */
function momentsAround(recurrence: Recurrence & { readonly kind: 'cron' }, atMs: number): readonly number[] {
  const { pattern, timezone } = recurrence
  const minute = Math.floor(atMs / minuteMs) * minuteMs
  const name = `${timezone} ${pattern} ${minute}`
  if (lastMoments.name === name) return lastMoments.moments
  const before = new Cron(pattern, { timezone, paused: true }).previousRuns(catchUp, new Date(minute))
  const moments = before.map(Number).reverse()
  const endMs = minute + minuteMs
  for (let at = nextCron(recurrence, minute - 1); at !== undefined && at < endMs; at = nextCron(recurrence, at))
    moments.push(at)
  lastMoments = { name, moments }
  return moments
}

const minuteMs = 60_000
/** The last answer of `momentsAround`: going back so far takes a while, and those that are made up for come together. */
let lastMoments: { readonly name: string; readonly moments: readonly number[] } = { name: '', moments: [] }

/** The same timer after its tick was taken up at `atMs`; undefined when that was its last. Depends on nothing else. */
export function afterTick(timer: DurableTimer, atMs: number): DurableTimer | undefined {
  const { recurrence, dueMs } = timer
  if (recurrence === undefined) return undefined
  const fromMs = recurrence.missed === 'all' ? Math.min(dueMs, atMs) : atMs
  if (recurrence.kind === 'every') {
    const { periodMs } = recurrence
    const missed = Math.floor((atMs - fromMs) / periodMs)
    return { ...timer, dueMs: fromMs + (1 + Math.max(0, missed - catchUp)) * periodMs }
  }
  const nextMs = nextCron(recurrence, fromMs)
  if (nextMs === undefined) return undefined
  return { ...timer, dueMs: nextMs > atMs ? nextMs : Math.max(nextMs, catchUpFrom(recurrence, atMs)) }
}

/**
 * The same timer for an actor that comes back at `nowMs`: with `skip` without the ticks that passed meanwhile, and not
 * further off than it could be, as one is that was set while the clock was wrong.
 */
export function comeBack(timer: DurableTimer, nowMs: number): DurableTimer {
  const { recurrence, dueMs } = timer
  if (recurrence === undefined || (dueMs <= nowMs && recurrence.missed !== 'skip')) return timer
  const nextMs = recurrence.kind === 'every' ? nowMs + recurrence.periodMs : nextCron(recurrence, nowMs)
  if (nextMs === undefined || (dueMs > nowMs && dueMs <= nextMs)) return timer
  return { ...timer, dueMs: nextMs }
}
