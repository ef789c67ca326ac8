import { severities } from '../finding.ts'
import { EXAMINERS_PER_CONCERN } from '../team/size.ts'
import { clean, plural } from '../text.ts'
import type { Display, Finished, Interrupted, Output, Started } from './display.ts'
import { tally, type ReviewProgress } from './progress.ts'

/** How often the picture is drawn anew in a terminal, and how often a line is printed elsewhere. */
const REDRAW_MS = 80
const LINE_MS = 2_000
const BAR = 20

/**
 * For people. A terminal shows the team as a picture that is drawn over itself; a file or a pipe gets a line now and then.
 * `live` is for what passes, `result` for what stays.
 */
export function textDisplay(live: Output, result: Output): Display {
  const picture = live.isTTY === true ? new Picture(live) : undefined
  let lastMs = -Infinity
  let lineDone = -1
  return {
    started: (started) => void live.write(startedText(started)),
    progress: (progress, nowMs) => {
      const { done, total } = tally(progress, nowMs)
      const isLast = progress.plannedMs !== undefined && done === total
      if (picture !== undefined) {
        if (isLast || nowMs - lastMs >= REDRAW_MS) picture.draw(lines(progress, nowMs))
        else return
      } else if ((isLast && lineDone !== done) || nowMs - lastMs >= LINE_MS) {
        lineDone = done
        live.write(`${headline(progress, nowMs)}\n`)
      } else return
      lastMs = nowMs
    },
    finished: (finished) => void result.write(finishedText(finished)),
    interrupted: (interrupted) => void result.write(interruptedText(interrupted)),
    failed: (code, message) => void live.write(`dependency-review: ${clean(message, 2_000)} [${code}]\n`),
  }
}

/** Lines that are drawn over themselves. */
class Picture {
  readonly #output: Output
  #height = 0

  constructor(output: Output) {
    this.#output = output
  }

  draw(picture: readonly string[]): void {
    // A full line would wrap, and the next picture slip. Some terminals say that they have 0 columns.
    const { columns = 0 } = this.#output
    const width = Math.max(20, (columns === 0 ? 80 : columns) - 1)
    const up = this.#height === 0 ? '' : `\u001b[${this.#height}A`
    this.#output.write(up + picture.map((line) => `\r\u001b[2K${line.slice(0, width)}\n`).join(''))
    this.#height = picture.length
  }
}

/** The team by tiers. */
function lines(progress: ReviewProgress, nowMs: number): string[] {
  const parts = [...progress.concerns]
  const tactical = parts.map(([concern, { done, total, crashes }]) => {
    const state = total === 0 ? 'nothing to do' : done === total ? 'done' : crashes === 0 ? '' : 'goes on'
    const crashed = crashes === 0 ? '' : `${plural(crashes, 'crash', 'crashes')} `
    return `tactical     ${concern.padEnd(21)}${bar(done, total)} ${`${done}/${total}`.padStart(11)}  ${crashed}${state}`
  })
  const atWork = parts.filter(([, { done, total }]) => done < total).length * EXAMINERS_PER_CONCERN
  const operational = `operational  ${plural(atWork, 'examiner')} at work, ${plural(progress.restarts, 'restart')} by their supervisors`
  return [`strategic    ${headline(progress, nowMs)}`, ...tactical, operational]
}

function headline(progress: ReviewProgress, nowMs: number): string {
  const { done, total, elapsedMs, leftMs } = tally(progress, nowMs)
  if (progress.plannedMs === undefined) return `planning from the lockfile, ${seconds(elapsedMs)}`
  const left = done === total ? 'done' : leftMs === undefined ? 'time left unknown' : `about ${seconds(leftMs)} left`
  const before = progress.before === 0 ? '' : ` (${progress.before} before)`
  return `${plural(progress.packages, 'package')}, ${done}/${total} examinations${before}, ${plural(progress.restarts, 'restart')}, ${seconds(elapsedMs)}, ${left}`
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR : Math.floor((done / total) * BAR)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`
}

function seconds(ms: number): string {
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

function startedText({ input, chaos, run: { seed, startedAtMs, kept, dropped } }: Started): string {
  const crashes = chaos === 0 ? '' : `, crashing examiners with probability ${chaos} (seed ${seed})`
  const [lost, reason] = [plural(dropped?.kept ?? 0, 'examination'), clean(dropped?.reason ?? '', 600)]
  const before = dropped === null ? '' : `An unfinished review (${lost}) is dropped: ${reason}\n`
  const since = new Date(startedAtMs).toISOString()
  const resuming = `Going on with the review of ${clean(input, 500)} that began at ${since}: ${plural(kept, 'examination')} done`
  return `${before}${kept === 0 ? `Reviewing ${clean(input, 500)}` : resuming}${crashes}\n`
}

function finishedText({ files, summary, restarts, durationMs }: Finished): string {
  const found = severities.map((severity) => `${summary.findings[severity]} ${severity}`).join(', ')
  return [
    `${plural(summary.packages, 'package')}, ${summary.examined} examined; findings: ${found}`,
    `${seconds(durationMs)}, ${plural(restarts, 'restart')}. Written:`,
    ...files.map((file) => `  ${clean(file, 1_000)}`),
    '',
  ].join('\n')
}

function interruptedText({ signal, notWritten, done, total }: Interrupted): string {
  const state =
    notWritten.length === 0
      ? 'everything was written before'
      : `not written: ${notWritten.join(', ')} (older files of these names are untouched)`
  return `Interrupted by ${signal} after ${done} of ${plural(total, 'examination')}; ${state}. Run it again to go on from there\n`
}
