import type { Crash } from './crash.ts'
import { describePoint } from './points.ts'

/** How a point ended, for the table. */
export type Verdict = 'untouched' | 'completed' | 'gave up' | 'killed'

export const verdictOf = ({ point, notes, steps, end }: Crash): Verdict => {
  const wasHit = steps.some((step) => step.kind === 'call' && step.isHit)
  if (point?.fault === 'kill') return end.signal === 'SIGKILL' ? 'killed' : 'untouched'
  if (!wasHit) return 'untouched'
  return notes.some(({ kind }) => kind === 'gave up') ? 'gave up' : 'completed'
}

/** What senders and askers may be told when a disk fails: whatever else comes out was not meant. */
const typed = ['JOURNAL_FULL', 'JOURNAL_FAILED', 'JOURNAL_CORRUPT', 'JOURNAL_FORMAT', 'JOURNAL_CLOSED', 'TARGET_DOWN']

/** What should not have happened. */
export function problemsOf(crash: Crash): readonly string[] {
  const at = crash.point === undefined ? 'without a fault' : describePoint(crash.point)
  return [...endProblems(crash), ...syncProblems(crash), ...lostProblems(crash)].map((problem) => `${at}: ${problem}`)
}

function endProblems({ point, end, isStuck, notes }: Crash): readonly string[] {
  if (isStuck) return ['it did not end']
  const isKilled = point?.fault === 'kill' && end.signal === 'SIGKILL'
  // Where a disk lies, the epoch of the writer may be among what it did not write.
  const known = point?.fault === 'lie' ? [...typed, 'JOURNAL_FENCED'] : typed
  const unknown = notes.flatMap((note) => ('code' in note && !known.includes(note.code) ? [note.code] : []))
  return [
    ...(isKilled || end.code === 0 ? [] : [`it ended with ${end.code ?? end.signal}: ${end.errors}`]),
    ...unknown.map((code) => `somebody was told ${code}`),
  ]
}

/**
 * Acknowledged means synced: since an operation was begun there has been a sync. And after a sync that failed nobody knows
 * what is on the disk: what is begun from then on is not acknowledged. SQLite does not look at what a sync of the folder
 * comes to, so there has to be a second one, before anything is acknowledged.
 */
function syncProblems({ steps }: Crash): readonly string[] {
  let [fileFailed, folderFailed] = [false, false]
  const begunAfter = new Set<string>()
  const unsynced = new Set<string>()
  const problems: string[] = []
  for (const step of steps) {
    if (step.kind === 'call') {
      if (step.call !== 'fsync' && step.call !== 'fdatasync') continue
      if (step.isOfFolder) folderFailed = step.hasFailed
      else {
        fileFailed ||= step.hasFailed
        if (!step.hasFailed) unsynced.clear()
      }
      continue
    }
    const { note } = step
    if (note.kind === 'begun') {
      if (fileFailed || folderFailed) begunAfter.add(note.name)
      unsynced.add(note.name)
    } else if (note.kind === 'acknowledged') {
      if (begunAfter.has(note.name)) problems.push(`${note.name} was begun after a sync had failed, and acknowledged`)
      if (unsynced.has(note.name) && note.name !== 'compact')
        problems.push(`${note.name} was acknowledged before a sync`)
    }
  }
  return problems
}

function lostProblems({ point, found, notes, runs }: Crash): readonly string[] {
  if (found.kind === 'refused') {
    // A disk that lies may have destroyed what it was given; then the next process must say so.
    if (point?.fault === 'lie' && typed.includes(found.code)) return []
    return [`the next process was refused: ${found.text}`]
  }
  const { numbers, receipts, problems } = found
  const acknowledged = notes.flatMap((note) => (note.kind === 'acknowledged' ? [note] : []))
  return [
    ...problems.map((problem) => `verify says ${problem}`),
    ...numbers.flatMap((n, i) => (n > (numbers[i - 1] ?? 0) ? [] : [`message ${n} came after ${numbers[i - 1]}`])),
    ...acknowledged.flatMap(({ name, value }) => {
      const [what, rest = ''] = name.split(' ')
      if (what === 'tell') return numbers.includes(Number(rest)) ? [] : [`message ${rest} was acknowledged and is lost`]
      if (what !== 'pay' || receipts[rest] === value) return []
      return [`'${rest}' was paid with receipt '${value}', and now it is '${receipts[rest]}'`]
    }),
    ...[...Map.groupBy(runs, ({ key }) => key)].flatMap(([key, all]) =>
      all.length > 1 ? [`'${key}' was paid ${all.length} times`] : [],
    ),
  ]
}
