/** Carries a bench out: its subjects side by side, run by run. */

import type { Bench, PeerSubject, Sample, Subject } from './bench.ts'
import { compileErlang, installPeers } from './peers.ts'
import { startErlang, startNode, type SubjectProcess } from './processes.ts'
import type { Samples } from './report.ts'

export interface RoundOptions {
  readonly ms: number
  readonly runs: number | undefined
  /** Only subjects whose name contains this. */
  readonly only: string | undefined
  readonly say: (line: string) => void
}

export interface Outcome {
  readonly samples: Samples
  readonly failed: readonly string[]
}

const warmUps = 2

type Start = () => SubjectProcess | Promise<SubjectProcess>

/** Compiles the Erlang programs, and installs the packages to compare with, once for all benches. */
export class Rounds {
  readonly #erlang = compileErlang()
  readonly #options: RoundOptions
  #peers: Promise<boolean> | undefined

  constructor(options: RoundOptions) {
    this.#options = options
    if (this.#erlang === undefined) options.say('No Erlang here (`erl` is not on the PATH): its subjects are left out.')
  }

  async measure(bench: Bench): Promise<Outcome> {
    const starts = await this.#starts(bench)
    const samples = new Map<string, Sample[]>([...starts.keys()].map((subject) => [subject, []]))
    const failed: string[] = []
    const running = new Map<string, SubjectProcess>()
    const warm = bench.fresh === true ? 0 : warmUps
    const rounds = warm + (this.#options.runs ?? bench.runs ?? 7)
    for (let round = 0; round < rounds; round++) {
      for (const [subject, start] of rotated([...starts], round)) {
        if (!samples.has(subject)) continue // it failed in an earlier round
        try {
          const process = running.get(subject) ?? (await start())
          running.set(subject, process)
          const sample = await process.run(this.#options.ms)
          if (round >= warm) samples.get(subject)?.push(sample)
          if (bench.fresh === true) await this.#close(running, subject)
        } catch (error) {
          samples.delete(subject)
          failed.push(subject)
          await this.#close(running, subject)
          this.#options.say(`${bench.name}, ${subject}: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
    for (const subject of [...running.keys()]) await this.#close(running, subject)
    return { samples, failed }
  }

  [Symbol.dispose](): void {
    this.#erlang?.remove()
  }

  async #close(running: Map<string, SubjectProcess>, subject: string): Promise<void> {
    await running.get(subject)?.close()
    running.delete(subject)
  }

  async #starts(bench: Bench): Promise<ReadonlyMap<string, Start>> {
    const { only, say } = this.#options
    const subjects = Object.entries(bench.subjects).filter(([name]) => only === undefined || name.includes(only))
    if (subjects.some(([, subject]) => isPeer(subject))) this.#peers ??= installPeers(say)
    const peers = await this.#peers
    return new Map(
      subjects.flatMap(([name, subject]): [string, Start][] => {
        if (isPeer(subject)) return peers === true ? [[name, () => startNode(bench, name)]] : []
        if (typeof subject === 'function') return [[name, () => startNode(bench, name)]]
        const folder = this.#erlang?.folder
        return folder === undefined ? [] : [[name, () => startErlang(subject, folder)]]
      }),
    )
  }
}

function isPeer(subject: Subject): subject is PeerSubject {
  return typeof subject === 'object' && subject.kind === 'peer'
}

/** Each round begins with another subject, so that none always follows the same neighbour. */
function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = items.length === 0 ? 0 : by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
