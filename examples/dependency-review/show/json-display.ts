import * as z from 'zod'

import { concerns } from '../examine/concern.ts'
import { severities } from '../finding.ts'
import type { Display, Output } from './display.ts'
import { tally } from './progress.ts'

const count = z.int().nonnegative()
/** How often this review was taken up again. */
const resumed = count
const part = z.strictObject({ done: count, total: count, crashes: count })

/** One line of `--json`. Every line has a `type`; new types and fields may be added. */
export const lineSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('started'),
    input: z.string(),
    out: z.string(),
    chaos: z.number(),
    seed: z.int(),
    resumed,
    /** Examinations that were done before. */
    examinedBefore: count,
    /** An unfinished review that was given up for this one, and why. */
    dropped: z.strictObject({ reason: z.string(), kept: count }).nullable(),
  }),
  z.strictObject({
    type: z.literal('progress'),
    packages: count,
    done: count,
    total: count,
    restarts: count,
    elapsedMs: z.number(),
    /** Estimated milliseconds; null while nothing is done. */
    leftMs: z.number().nullable(),
    concerns: z.partialRecord(z.enum(concerns), part),
  }),
  z.strictObject({
    type: z.literal('finished'),
    files: z.array(z.string()),
    packages: count,
    examined: count,
    findings: z.record(z.enum(severities), count),
    restarts: count,
    durationMs: z.number(),
    resumed,
  }),
  z.strictObject({
    type: z.literal('interrupted'),
    signal: z.string(),
    notWritten: z.array(z.string()),
    done: count,
    total: count,
  }),
  z.strictObject({ type: z.literal('failed'), code: z.string(), message: z.string() }),
])
export type Line = z.infer<typeof lineSchema>

const EVERY_MS = 100

/** For programs: one JSON object a line. Progress is told ten times a second at most, and at its end. */
export function jsonDisplay(output: Output): Display {
  const write = (line: Line): void => void output.write(`${JSON.stringify(line)}\n`)
  let lastMs = -Infinity
  return {
    started: ({ run: { seed, resumed, kept, dropped }, ...started }) => {
      write({ type: 'started', ...started, seed, resumed, examinedBefore: kept, dropped })
    },
    progress: (progress, nowMs) => {
      const { done, total, elapsedMs, leftMs } = tally(progress, nowMs)
      if (nowMs - lastMs < EVERY_MS && done < total) return
      lastMs = nowMs
      const { packages, restarts } = progress
      const parts = Object.fromEntries(progress.concerns)
      write({
        type: 'progress',
        packages,
        done,
        total,
        restarts,
        elapsedMs: Math.round(elapsedMs),
        leftMs: leftMs === undefined ? null : Math.round(leftMs),
        concerns: parts,
      })
    },
    finished: ({ files, summary: { packages, examined, findings }, restarts, durationMs, run: { resumed } }) => {
      write({ type: 'finished', files: [...files], packages, examined, findings, restarts, durationMs, resumed })
    },
    interrupted: ({ notWritten, ...rest }) => {
      write({ type: 'interrupted', ...rest, notWritten: [...notWritten] })
    },
    failed: (code, message) => {
      write({ type: 'failed', code, message })
    },
  }
}
