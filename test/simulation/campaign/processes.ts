import { fork } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Law } from '../laws/law.ts'
import { add, emptyTally, type Slice, type Tally } from './slice.ts'
import { stripSources, strippedFlags } from './strip.ts'
import type { Job } from './worker.ts'

export interface CampaignOptions {
  readonly rounds: number
  readonly seed: number
  readonly procs: number
  readonly twice: boolean
  readonly folder: string | false
  /** For the processes: `--jitless`. */
  readonly nodeFlags: readonly string[]
  readonly onProgress?: (worlds: number, findings: number) => void
}

type Said =
  | { readonly kind: 'progress'; readonly worlds: number; readonly findings: number }
  | { readonly kind: 'done'; readonly tally: Tally }

const program = fileURLToPath(new URL('worker.ts', import.meta.url))
/** Worlds are many small things that are soon gone: with room for them they need not be moved before they are. */
const usualFlags = ['--max-semi-space-size=32', '--conditions=echelon-source']

/** Runs a campaign in child processes, one slice each. Rejects when one of them ends without a result. */
export async function runProcesses(laws: readonly Law[], options: CampaignOptions): Promise<Tally> {
  const { rounds, seed, procs, twice, folder, nodeFlags, onProgress } = options
  const worlds = new Array<number>(procs).fill(0)
  const findings = new Array<number>(procs).fill(0)
  const only = laws.map(({ scenario: { name } }) => name)
  const stripped = nodeFlags.includes('--jitless') ? stripSources() : undefined
  const tallies = await Promise.all(
    worlds.map((_, first) =>
      runProcess({ only, slice: { rounds, seed, first, step: procs, twice, folder } }, nodeFlags, stripped, (said) => {
        worlds[first] = said.worlds
        findings[first] = said.findings
        const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
        onProgress?.(total(worlds), total(findings))
      }),
    ),
  )
  if (stripped !== undefined) rmSync(stripped, { recursive: true })
  const tally = emptyTally(laws)
  for (const one of tallies) add(tally, one)
  return tally
}

function runProcess(
  job: Job & { readonly slice: Slice },
  nodeFlags: readonly string[],
  stripped: string | undefined,
  onProgress: (said: Said & { readonly kind: 'progress' }) => void,
): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const child = fork(program, [], {
      execArgv: [...usualFlags, ...nodeFlags, ...(stripped === undefined ? [] : strippedFlags)],
      env: { ...process.env, NODE_OPTIONS: '', ...(stripped === undefined ? {} : { STRIPPED: stripped }) },
    })
    child.on('message', (given) => {
      // The worker sends nothing else.
      const said = given as Said
      if (said.kind === 'done') resolve(said.tally)
      else onProgress(said)
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      // After a result this changes nothing.
      reject(new Error(`a process of the campaign ended with ${code ?? signal}`))
    })
    child.send(job)
  })
}
