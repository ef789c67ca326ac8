import { systemClock, seededRandom, type Random } from 'echelon'
import { sqliteJournal, type JournalEntry, type JournalReader } from 'echelon/journal'
import { keptFolder, temporaryFolder, type Folder } from '../support/folder.ts'
import type { Goal } from '../support/goals.ts'
import { keepCompiled, programOf, quick, start, wait, type Running } from '../support/programs.ts'
import { sights, type Fact, type LifeInput, type Progress, type Sight } from './facts.ts'
import { Ledger, offences, type Problem } from './ledger.ts'
import { runsOf } from './outside.ts'

export interface CampaignOptions {
  readonly kills: number
  readonly seed: string
  /** Journals that are worked on at the same time, each by one process after another. */
  readonly lanes: number
  /** Kills until a journal is checked as a whole and another begins. */
  readonly killsPerJournal: number
  /** Folder in which everything is left, to be looked at. Default: nothing is left. */
  readonly keep?: string | undefined
}

export interface Campaign {
  readonly kills: number
  readonly journals: number
  readonly acknowledgements: number
  readonly runs: number
  readonly seconds: number
  readonly problems: readonly Problem[]
  readonly sights: ReadonlyMap<Sight, number>
}

/** Milliseconds that no life takes, on the slowest machine. */
const longestMs = 120_000

/** Kills process after process, and compares what was acknowledged with what is left. */
export async function campaign(options: CampaignOptions): Promise<Campaign> {
  using folder = options.keep === undefined ? temporaryFolder() : keptFolder(options.keep)
  using _compiled = keepCompiled(folder.file('compiled'))
  const random = seededRandom(options.seed)
  const beganMs = systemClock.now()
  const ledgers: Ledger[] = []
  const budget = { kills: options.kills, killed: 0, journals: 0, runs: 0 }

  // The first process ends by itself: what Node compiled for it is kept for all others.
  await journal(0)
  await Promise.all(
    Array.from({ length: options.lanes }, async () => {
      while (budget.kills > 0) {
        const kills = Math.min(budget.kills, options.killsPerJournal)
        budget.kills -= kills
        await journal(kills)
      }
    }),
  )
  const all = <T>(of: (ledger: Ledger) => readonly T[]): T[] => ledgers.flatMap(of)
  return {
    kills: budget.killed,
    journals: budget.journals,
    acknowledgements: ledgers.reduce((sum, one) => sum + one.acknowledgements, 0),
    runs: budget.runs,
    seconds: (systemClock.now() - beganMs) / 1000,
    problems: all(({ problems }) => problems),
    sights: new Map(
      sights.map((sight) => [sight, ledgers.reduce((sum, one) => sum + (one.sights.get(sight) ?? 0), 0)]),
    ),
  }

  /** One journal, from its beginning to its last check. */
  async function journal(kills: number): Promise<void> {
    budget.journals += 1
    const name = `journal-${budget.journals}`
    const ledger = new Ledger()
    ledgers.push(ledger)
    const lane = new Lane(folder, name, ledger, random.fork(name))
    for (let killed = 0; killed < kills && lane.isSound;) if (await lane.oneLife()) killed += 1
    budget.killed += lane.kills
    if (lane.isSound) await lane.settle()
    budget.runs += await lane.inspect()
  }
}

/** One journal, and the processes that use it one after another. */
class Lane {
  readonly #folder: Folder
  readonly #name: string
  readonly #ledger: Ledger
  readonly #random: Random
  #lives = 0
  kills = 0
  /** Whether it makes sense to go on. */
  isSound = true

  constructor(folder: Folder, name: string, ledger: Ledger, random: Random) {
    this.#folder = folder
    this.#name = name
    this.#ledger = ledger
    this.#random = random
  }

  get #journal(): string {
    return this.#folder.file(`${this.#name}.db`)
  }

  get #outside(): string {
    return this.#folder.file(`${this.#name}.outside`)
  }

  /** Starts a process and kills it. Answers whether it was killed: one that was asked to end may be quicker. */
  async oneLife(): Promise<boolean> {
    const kind = this.#random.int(100)
    const life = this.#begin('load')
    let isUp = false
    let hasAcknowledged = false
    const kill = (afterMs: number): void => {
      void wait(afterMs).then(() => {
        life.kill('SIGKILL')
      })
    }
    // Some die before they come to anything, while they open the journal or recover.
    if (kind < 8) kill(this.#random.int(300))
    for await (const fact of this.#facts(life)) {
      this.#ledger.take(fact)
      isUp ||= fact.kind === 'up'
      if (hasAcknowledged || (fact.kind !== 'told' && fact.kind !== 'answered')) continue
      hasAcknowledged = true
      if (kind < 78) kill(this.#random.next() * 20)
      else if (kind < 96) kill(20 + this.#random.next() * 150)
      else {
        await wait(this.#random.next() * 40)
        life.input.end()
        kill(this.#random.next() * 25)
      }
    }
    return this.#ended(life, isUp, kind >= 96)
  }

  async #ended(life: Running, isUp: boolean, mayEnd: boolean): Promise<boolean> {
    const { code, signal } = await life.ended
    if (signal === 'SIGKILL') {
      this.kills += 1
      return true
    }
    if (mayEnd && code === 0) return false
    this.#broken(life, isUp)
    return false
  }

  #broken(life: Running, isUp: boolean): void {
    this.isSound = false
    this.#ledger.blame(
      isUp ? 'other failures' : 'starts refused',
      `${this.#name}, life ${this.#lives}: it ended by itself: ${life.errors()}`,
    )
  }

  /** The last process: it finishes what is open, and says what there is. */
  async settle(): Promise<void> {
    const life = this.#begin('settle')
    const actors = new Map<string, Progress>()
    let isUp = false
    let isSettled = false
    for await (const fact of this.#facts(life)) {
      this.#ledger.take(fact)
      isUp ||= fact.kind === 'up'
      isSettled ||= fact.kind === 'settled'
      if (fact.kind === 'progress') actors.set(fact.actor, fact.progress)
    }
    await life.ended
    if (isSettled) this.#ledger.settled(actors)
    else this.#broken(life, isUp)
  }

  #begin(mode: LifeInput['mode']): Running {
    this.#lives += 1
    this.#ledger.lifeBegins()
    const answered = [...this.#ledger.answers.keys()].filter((key) => key.startsWith('p'))
    const input: LifeInput = {
      journal: this.#journal,
      outside: this.#outside,
      seed: `${this.#name}.${this.#lives}.${this.#random.next()}`,
      mode,
      acknowledged: Object.fromEntries(this.#ledger.acknowledged),
      again:
        mode === 'settle'
          ? answered
          : Array.from({ length: 3 }, () => answered[this.#random.int(Math.max(1, answered.length))] ?? []).flat(),
    }
    const life = start(programOf('kill/life.ts'), [], quick)
    life.input.write(`${JSON.stringify(input)}\n`)
    return life
  }

  async *#facts(life: Running): AsyncGenerator<Fact> {
    const watchdog = systemClock.setTimeout(() => {
      this.#ledger.blame('other failures', `${this.#name}, life ${this.#lives}: it did not come to its end`)
      life.kill('SIGKILL')
    }, longestMs)
    try {
      for await (const line of life.lines) yield JSON.parse(line) as Fact // what a life says, see `facts.ts`
    } finally {
      systemClock.clearTimeout(watchdog)
    }
  }

  /** Looks into the journal and the outside world when everybody is gone. Answers how many effects ran. */
  async inspect(): Promise<number> {
    const reader = await sqliteJournal(this.#journal).openReadOnly({ node: 'inspector', clock: systemClock })
    try {
      const { problems } = await reader.verify()
      for (const { where, problem } of problems)
        this.#ledger.blame('problems found by verify', `${this.#name}, ${where}: ${problem}`)
      await this.#inspectStreams(reader)
    } finally {
      await reader.close()
    }
    const runs = runsOf(this.#outside)
    this.#ledger.outside(runs)
    return runs.length
  }

  async #inspectStreams(reader: JournalReader): Promise<void> {
    for (let after: string | undefined; ;) {
      const page = await reader.list({ limit: 500, ...(after === undefined ? {} : { afterStream: after }) })
      for (const { stream } of page) await this.#inspectStream(reader, stream)
      after = page.at(-1)?.stream
      if (after === undefined) return
    }
  }

  /** No outcome twice, and no message twice: as far as the entries are still there. */
  async #inspectStream(reader: JournalReader, stream: string): Promise<void> {
    const [outcomes, received] = [new Set<string>(), new Set<string>()]
    const once = (known: Set<string>, name: string | undefined, what: Problem['offence']): void => {
      if (name === undefined) return
      if (known.has(name)) this.#ledger.blame(what, `${stream} has '${name}' twice`)
      known.add(name)
    }
    for (let seq = 0; ;) {
      const page = await reader.read(stream, seq)
      for (const entry of page) {
        const { key, id } = bodyOf(entry)
        if (entry.kind === 'outcome') once(outcomes, key, 'outcomes recorded twice')
        if (entry.kind === 'received') once(received, id, 'handled twice or out of order')
        seq = entry.seq
      }
      if (page.length === 0) return
    }
  }
}

/** What this looks at of the bodies that actors write: `docs/journal-format.md`. */
const bodyOf = ({ body }: JournalEntry): { readonly key?: string; readonly id?: string } =>
  JSON.parse(body) as { readonly key?: string; readonly id?: string }

/** What a campaign has to reach. `minutes`: for all of its kills. `isWhole`: long enough to have seen everything. */
export function goalsOf(
  { kills, seconds, problems, sights: saw }: Campaign,
  wanted: { readonly kills: number; readonly minutes: number; readonly isWhole: boolean },
): readonly Goal[] {
  return [
    { goal: 'processes killed', value: kills, atLeast: wanted.kills },
    { goal: 'time', value: seconds, unit: 's', atMost: wanted.minutes * 60 },
    ...offences.map((offence) => ({
      goal: offence,
      value: problems.filter((problem) => problem.offence === offence).length,
      atMost: 0,
    })),
    ...(wanted.isWhole
      ? sights.map((sight) => ({ goal: `seen: ${sight}`, value: saw.get(sight) ?? 0, atLeast: 1 }))
      : []),
  ]
}
