import { appendFileSync } from 'node:fs'
import { systemClock } from 'echelon'

/**
 * A moment of a review.
 *
 * `examine`: an examination is about to begin. `append`: something is about to be appended to the journal. `appended`: it is on disk, and nobody knows yet. `kept`: as
 * that, for examinations. `rename`: a report is about to get its name. `remove`: a part of
 * the journal is about to be removed.
 */
export type Moment = 'examine' | 'append' | 'appended' | 'kept' | 'rename' | 'remove'

/** `DIE_AT=kept:2` is the second of its kind. `HANG_AT` waits there for ever, `INT_AT` is the moment of a Ctrl-C. */
const { DIE_AT: dieAt, HANG_AT: hangAt, INT_AT: interruptAt } = process.env
const counts = new Map<Moment, number>()

/** Ends the process as `kill -9` does if it is to end here. */
export async function pass(moment: Moment): Promise<void> {
  const count = (counts.get(moment) ?? 0) + 1
  counts.set(moment, count)
  const here = `${moment}:${count}`
  if (here === dieAt) process.kill(process.pid, 'SIGKILL')
  if (here === interruptAt) process.kill(process.pid, 'SIGINT')
  if (here !== dieAt && here !== hangAt) return
  process.stdout.write(`at ${here}\n`)
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 3_600_000)) // which keeps the process alive
}

/** A line for whoever looks from outside. Written at once, and there after the death of the process. */
export function note(line: string): void {
  const file = process.env['TRACE_TO']
  if (file !== undefined) appendFileSync(file, `${line}\n`)
}
