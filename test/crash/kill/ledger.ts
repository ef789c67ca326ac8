import { keyOf, type Fact, type JobState, type Progress, type Sight } from './facts.ts'
import type { Run } from './outside.ts'

/** What may not happen, each with a goal of its own. */
export const offences = [
  'acknowledged lost',
  'handled twice or out of order',
  'outcomes recorded twice',
  'effects run again silently',
  'idempotency keys changed',
  'timers or jobs not exactly once',
  'starts refused',
  'problems found by verify',
  'other failures',
] as const
export type Offence = (typeof offences)[number]

export interface Problem {
  readonly offence: Offence
  readonly text: string
}

/** What is known of one journal by those outside of it: what was acknowledged, and what has been seen of it. */
export class Ledger {
  readonly problems: Problem[] = []
  readonly sights = new Map<Sight, number>()
  /** The last operation of each client up to which all were acknowledged. */
  readonly acknowledged = new Map<string, number>()
  /** What was answered, by the key of the operation. */
  readonly answers = new Map<string, string>()
  acknowledgements = 0
  /** Operations that were acknowledged before the one before them. */
  readonly #early = new Set<string>()
  /** As `acknowledged` was when the current life began: it must know at least that. */
  #before: ReadonlyMap<string, number> = new Map()

  lifeBegins(): void {
    this.#before = new Map(this.acknowledged)
  }

  /** Once for each text: what an actor has counted, it tells in every life. */
  blame(offence: Offence, text: string): void {
    if (!this.problems.some((problem) => problem.text === text)) this.problems.push({ offence, text })
  }

  take(fact: Fact): void {
    switch (fact.kind) {
      case 'told':
        this.#acknowledge(fact.client, fact.n)
        break
      case 'answered':
        this.#acknowledge(fact.client, fact.n)
        this.#answer(keyOf(fact.client, fact.n), fact.value)
        break
      case 'again':
        this.#answer(fact.key, fact.value)
        break
      case 'progress':
        this.#compare(fact.actor, fact.progress, this.#before)
        break
      case 'job':
        this.#judge(fact.name, fact.job)
        break
      case 'unrung':
        this.blame('timers or jobs not exactly once', `${fact.timers} timers never rang`)
        break
      case 'seen':
        this.sights.set(fact.sight, (this.sights.get(fact.sight) ?? 0) + 1)
        break
      case 'trouble':
        this.blame('other failures', fact.text)
        break
      case 'up':
      case 'settled':
        break
      default:
        fact satisfies never
    }
  }

  #acknowledge(client: string, n: number): void {
    this.acknowledgements += 1
    // Repetitions of what is on disk already may be acknowledged later than what comes after them.
    let last = this.acknowledged.get(client) ?? 0
    this.#early.add(keyOf(client, n))
    while (this.#early.delete(keyOf(client, last + 1))) last += 1
    this.acknowledged.set(client, last)
  }

  #answer(key: string, value: string): void {
    const before = this.answers.get(key)
    if (before !== undefined && before !== value)
      this.blame('outcomes recorded twice', `${key} was answered '${before}', and later '${value}'`)
    this.answers.set(key, value)
  }

  /** What an actor has counted, against what was acknowledged of it. */
  #compare(actor: string, { last, problems }: Progress, known: ReadonlyMap<string, number>): void {
    for (const problem of problems)
      this.blame(
        actor === 'alarm' && problem.includes('rang')
          ? 'timers or jobs not exactly once'
          : problem.includes('outcomes')
            ? 'outcomes recorded twice'
            : 'handled twice or out of order',
        `${actor}: ${problem}`,
      )
    for (const client of clientsOf[actor] ?? []) {
      const [n, has] = [known.get(client) ?? 0, last[client] ?? 0]
      if (has < n) this.blame('acknowledged lost', `${actor} knows ${client} up to ${has}, and ${n} was acknowledged`)
    }
  }

  #judge(name: string, { starts, receipt, ended }: JobState): void {
    if (starts !== 1 || ended !== 1)
      this.blame('timers or jobs not exactly once', `job ${name} began ${starts} times and ended ${ended} times`)
    this.#answer(name, receipt)
  }

  /** At the end, when nothing is open any more: everything is there, and nothing else. */
  settled(actors: ReadonlyMap<string, Progress>): void {
    for (const [actor, { last }] of actors) {
      const clients = clientsOf[actor] ?? []
      for (const client of clients) {
        const [n, has] = [this.acknowledged.get(client) ?? 0, last[client] ?? 0]
        if (has < n) this.blame('acknowledged lost', `at the end ${actor} knows ${client} up to ${has} of ${n}`)
        if (has > n)
          this.blame(
            'handled twice or out of order',
            `at the end ${actor} knows ${client} up to ${has}, ${n} were sent`,
          )
      }
      const unknown = Object.keys(last).filter((client) => !clients.includes(client))
      if (unknown.length > 0)
        this.blame('other failures', `${actor} knows ${unknown.join(', ')}, which sent it nothing`)
    }
  }

  /** What the outside world has seen. */
  outside(runs: readonly Run[]): void {
    const byKey = Map.groupBy(runs, ({ key }) => key)
    for (const [key, all] of byKey) {
      const [first] = all
      if (all.length > 1 && first?.idempotent === false)
        this.blame('effects run again silently', `${key} ran ${all.length} times and is not idempotent`)
      if (all.some(({ idempotencyKey }) => idempotencyKey !== first?.idempotencyKey))
        this.blame('idempotency keys changed', `${key} ran with ${new Set(all.map((run) => run.idempotencyKey)).size}`)
    }
    for (const [key, value] of this.answers)
      if (byKey.get(key)?.some((run) => run.value === value) !== true)
        this.blame('outcomes recorded twice', `${key} was answered '${value}', which no run of it came to`)
  }
}

/** Whose messages an actor has handled when it answers: those that were acknowledged came before the question. */
const clientsOf: Readonly<Record<string, readonly string[]>> = {
  a1: ['t1', 't2', 't3'],
  a2: ['t4', 't5'],
  alarm: ['w1', 'w2'],
  relay: ['r1', 'r2', 'q1', 'q2'],
  relayed: ['r1', 'r2', 'q1', 'q2'],
}
