import { readFileSync } from 'node:fs'
import { attachStrace, type Tracer } from '../support/strace.ts'
import { calls, injection, type Call, type Point } from './points.ts'
import type { Note } from './notes.ts'

/** One thing that happened, in the order in which it did. */
export type Step =
  | {
      readonly kind: 'call'
      readonly call: Call
      /** Whether it is about the folder of the journal, not about a file. */
      readonly isOfFolder: boolean
      /** Whether the fault was put here. */
      readonly isHit: boolean
      readonly hasFailed: boolean
    }
  | { readonly kind: 'note'; readonly note: Note }

/** Where a run has its files: all of those in `folder` are the journal's. */
export interface Place {
  readonly folder: string
  readonly journal: string
  readonly notes: string
  readonly log: string
}

/**
 * Everything that belongs to a journal, and its folder, which is synced too. When a disk lies all the time, the witness
 * has another one: nobody could tell otherwise.
 */
function filesOf({ folder, journal }: Place, pid: number, point: Point | undefined): readonly string[] {
  const ends = ['', '-wal', '-shm', '-journal', ...(point?.fault === 'lie' && point.isSticky ? [] : ['-head'])]
  const draft = `${journal}-new-${pid}`
  return [folder, draft, ...ends.flatMap((end) => [journal + end, draft + end])]
}

/** What strace is told to look at: calls on the journal, and notes. */
const traced = (place: Place, pid: number, point: Point | undefined): readonly string[] => [
  ...['-f', '-y', '-s', '300', '-o', place.log],
  ...[...filesOf(place, pid, point), place.notes].flatMap((file) => ['-P', file]),
  ...['-e', `trace=${calls.join(',')},writev`],
]

/** Lets strace look at a process, and hit it at one point or at none. */
export const attach = (place: Place, pid: number, point: Point | undefined): Promise<Tracer> =>
  attachStrace(pid, [
    ...traced(place, pid, point),
    ...(point === undefined ? [] : ['-e', `inject=${injection(point)}`]),
  ])

export function stepsIn({ log, folder }: Place): readonly Step[] {
  return readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line): Step[] => {
      const [, name = '', rest = ''] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? []
      if (name === 'writev') return noteIn(rest)
      if (!isCall(name)) return []
      return [
        {
          kind: 'call',
          call: name,
          isOfFolder: rest.includes(`<${folder}>`) || rest.includes(`"${folder}"`),
          isHit: rest.endsWith('(INJECTED)'),
          hasFailed: rest.includes(' = -1 E'),
        },
      ]
    })
}

const isCall = (name: string): name is Call => (calls as readonly string[]).includes(name)

function noteIn(rest: string): Step[] {
  const [, quoted] = /iov_base=("(?:[^"\\]|\\.)*")/.exec(rest) ?? []
  if (quoted === undefined) return []
  // Strings of C, as far as notes have them, are strings of JSON; what they hold is JSON again, written by a notebook.
  return [{ kind: 'note', note: JSON.parse(JSON.parse(quoted) as string) as Note }]
}
