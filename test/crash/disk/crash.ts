import { mkdirSync, rmSync } from 'node:fs'
import { createRuntime, EchelonError } from 'echelon'
import { sqliteJournal, type Journal, type JournalSource } from 'echelon/journal'
import { Outside, runsOf, type Run } from '../kill/outside.ts'
import type { Folder } from '../support/folder.ts'
import { programOf, quick, start, wait } from '../support/programs.ts'
import { account, purse } from './actors.ts'
import { notesIn, type Note } from './notes.ts'
import type { Point } from './points.ts'
import { attach, stepsIn, type Place, type Step } from './trace.ts'

/** What one run of the workload came to, and what the next process found. */
export interface Crash {
  readonly point: Point | undefined
  readonly end: { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly errors: string }
  readonly isStuck: boolean
  readonly notes: readonly Note[]
  readonly steps: readonly Step[]
  /** What the outside world saw of its effects. */
  readonly runs: readonly Run[]
  readonly found: Found
}

/** What a process finds that opens the journal afterwards, on a disk that works. */
export type Found =
  | { readonly kind: 'refused'; readonly code: string; readonly text: string }
  | {
      readonly kind: 'recovered'
      readonly numbers: readonly number[]
      readonly receipts: Readonly<Record<string, string>>
      /** Effects of which nobody knows whether they ran. */
      readonly inDoubt: readonly string[]
      readonly problems: readonly string[]
    }

/** Milliseconds for a run that takes half a second. */
const patienceMs = 60_000

/** Runs the workload with one fault, or with none, and opens what it left. */
export async function crash(folder: Folder, name: string, point: Point | undefined): Promise<Crash> {
  const own = folder.file(name)
  const data = `${own}/data`
  const place: Place = { folder: data, journal: `${data}/app.db`, notes: `${own}/notes`, log: `${own}/trace` }
  const outside = `${own}/outside`
  mkdirSync(data, { recursive: true })
  try {
    // Spelled otherwise, so that opening the notes is none of the calls that are made to fail.
    const args = [place.journal, `${own}/./notes`, outside]
    const running = start(programOf('disk/workload.ts'), args, quick)
    await running.lines.next()
    const tracer = await attach(place, running.pid, point)
    running.input.write('go\n')
    const isStuck = await Promise.race([running.ended.then(() => false), wait(patienceMs).then(() => true)])
    if (isStuck) running.kill('SIGKILL')
    const { code, signal } = await running.ended
    await tracer.ended
    return {
      point,
      end: { code, signal, errors: running.errors() },
      isStuck,
      notes: notesIn(place.notes),
      steps: stepsIn(place),
      runs: runsOf(outside),
      found: await lookInto(place.journal, outside),
    }
  } finally {
    rmSync(own, { recursive: true })
  }
}

/** The state of everything, a check of the journal as a whole, and whether it takes more. */
async function lookInto(file: string, outsideFile: string): Promise<Found> {
  let journal: Journal | undefined
  const source = sqliteJournal(file)
  const kept: JournalSource = { ...source, open: async (host) => (journal = await source.open(host)) }
  const outside = new Outside(outsideFile, 'the next process')
  const wallet = purse(outside)
  const inDoubt: string[] = []
  try {
    await using runtime = await createRuntime({
      journal: kept,
      definitions: [account, wallet],
      onInDoubt: (doubt) => {
        inDoubt.push(doubt.key)
        return outside.settle(doubt)
      },
    })
    const accounts = runtime.get(account, 'a')
    const numbers = await accounts.ask({ type: 'account.read' })
    const receipts = await runtime.get(wallet, 'p').ask({ type: 'purse.read' })
    await accounts.tell({ type: 'account.add', n: 1000, filling: '' }, { durable: true, id: 'after' })
    const report = await journal?.verify()
    const problems = report?.problems.map(({ where, problem }) => `${where}: ${problem}`) ?? []
    return { kind: 'recovered', numbers, receipts, inDoubt, problems }
  } catch (error) {
    if (!(error instanceof EchelonError)) throw error
    return { kind: 'refused', code: error.code, text: error.message }
  }
}
