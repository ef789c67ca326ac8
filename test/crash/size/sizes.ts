import { statSync } from 'node:fs'
import { systemClock } from 'echelon'
import type { Folder } from '../support/folder.ts'
import type { Goal } from '../support/goals.ts'
import { programOf, start } from '../support/programs.ts'
import type { Recovered } from './recover.ts'

/** A journal to be made: see `build.ts`. */
export interface Size {
  readonly name: string
  readonly streams: number
  readonly entries: number
  readonly entryBytes: number
  readonly long: number
}

export interface Measured extends Recovered {
  readonly name: string
  readonly bytes: number
  readonly buildMs: number
}

/** Makes a journal by a process that is killed at its end, and has another one recover from it. */
export async function measure(folder: Folder, size: Size): Promise<Measured> {
  const { name, streams, entries, entryBytes, long } = size
  const file = folder.file(`${name}.db`)
  const beganMs = systemClock.now()
  const args = [streams, entries, entryBytes, long].map(String)
  await run('size/build.ts', [file, ...args], 'SIGKILL')
  const buildMs = systemClock.now() - beganMs
  const bytes = ['', '-wal'].reduce((sum, end) => sum + statSync(file + end).size, 0)
  const [line = ''] = await run('size/recover.ts', [file], null)
  const recovered = JSON.parse(line) as Recovered // what `recover.ts` prints
  if (recovered.small !== entries || recovered.long !== Math.max(0, long - 1))
    throw new Error(`${name}: it counts ${recovered.small} of ${entries}, ${recovered.long} of ${long - 1}`)
  return { ...recovered, name, bytes, buildMs }
}

async function run(
  program: string,
  args: readonly string[],
  expected: NodeJS.Signals | null,
): Promise<readonly string[]> {
  const running = start(programOf(program), args)
  const lines: string[] = []
  for await (const line of running.lines) lines.push(line)
  const { code, signal } = await running.ended
  if (signal !== expected || (signal === null && code !== 0))
    throw new Error(`${program} ended with ${code ?? signal}: ${running.errors()}`)
  return lines
}

/** How much more memory ten times the journal may take. */
const mostGrowth = 1.5
const mebibyte = 2 ** 20

export function sizeGoals(many: Measured, small: Measured, large: Measured): readonly Goal[] {
  const inMebibytes = (bytes: number): number => Math.round(bytes / mebibyte)
  return [
    {
      goal: '100,000 durable actors: from opening to the first message',
      value: many.firstMs,
      unit: 'ms',
      atMost: 2000,
    },
    { goal: 'size of the large journal', value: inMebibytes(large.bytes), unit: 'MiB', atLeast: 1024 },
    { goal: 'from opening it to the first message', value: large.firstMs, unit: 'ms', atMost: 2000 },
    { goal: 'memory at most while it recovers', value: inMebibytes(large.peakBytes), unit: 'MiB', atMost: 512 },
    {
      goal: 'memory, compared with a journal of a tenth',
      value: large.peakBytes / small.peakBytes,
      unit: 'times',
      atMost: mostGrowth,
    },
    { goal: 'progress events', value: large.progress, atLeast: 10 },
  ]
}
