import type { Deviation } from './decisions.ts'

/** Groups in the order in which they are tried: what the scenario did, what failed, how long things took, the order of things. */
const groups: readonly ((deviation: Deviation) => boolean)[] = [
  ({ kind, stream }) => kind === 'value' && stream.startsWith('scenario '),
  ({ kind }) => kind === 'fault',
  ({ kind, stream }) => kind === 'value' && !stream.startsWith('scenario '),
  ({ kind }) => kind === 'schedule',
]

/**
 * Runs a world with these decisions alone. Gives those that it came to when it broke in the same way: at most as many,
 * since what was never asked is left out; undefined when it did not.
 */
export type StillFails = (deviations: readonly Deviation[]) => Promise<readonly Deviation[] | undefined>

export interface ShrinkReport {
  readonly deviations: readonly Deviation[]
  /** Worlds that were run for it. */
  readonly runs: number
  /** Whether nothing that was tried was left to try. */
  readonly isMinimal: boolean
}

/**
 * Looks for fewer and smaller decisions with which a world still breaks in the same way: groups are left out whole, then
 * in ever smaller parts (ddmin), until none can be left out; then values are lowered, and decisions moved to
 * earlier places.
 * @see https://doi.org/10.1109/32.988498
 */
export async function shrink(
  first: readonly Deviation[],
  stillFails: StillFails,
  { maxRuns }: { readonly maxRuns: number },
): Promise<ShrinkReport> {
  const search = new Search(first, stillFails, maxRuns)
  let before = Infinity
  do {
    before = search.size
    for (const group of groups) await search.leaveOut(group)
    await search.lower()
    await search.moveEarlier()
  } while (search.size < before && !search.isOutOfRuns)
  return { deviations: search.best, runs: search.runs, isMinimal: !search.isOutOfRuns }
}

/** Fewer is smaller, whatever their values; of as many, those with smaller values, and then those that come earlier. */
const sizeOf = (deviations: readonly Deviation[]): number =>
  deviations.reduce((sum, { value, ordinal }) => sum + 1e9 + Math.min(value, 1000) * 1e5 + Math.min(ordinal, 1e4), 0)

class Search {
  best: readonly Deviation[]
  runs = 0
  readonly #stillFails: StillFails
  readonly #maxRuns: number
  readonly #tried = new Set<string>()

  constructor(first: readonly Deviation[], stillFails: StillFails, maxRuns: number) {
    this.best = first
    this.#stillFails = stillFails
    this.#maxRuns = maxRuns
  }

  get size(): number {
    return sizeOf(this.best)
  }

  get isOutOfRuns(): boolean {
    return this.runs >= this.#maxRuns
  }

  /** Leaves out what can be of a group: all, halves, quarters, and so on to single ones. */
  async leaveOut(isOfGroup: (deviation: Deviation) => boolean): Promise<void> {
    let parts = 1
    for (;;) {
      const group = this.best.filter(isOfGroup)
      if (group.length === 0 || this.isOutOfRuns) return
      const size = Math.ceil(group.length / parts)
      if (!(await this.#leaveOutParts(group, size))) {
        if (size === 1) return
        parts = Math.min(group.length, parts * 2)
      }
    }
  }

  async #leaveOutParts(group: readonly Deviation[], size: number): Promise<boolean> {
    let found = false
    // From the end: what comes late has the fewest consequences.
    for (let end = group.length; end > 0; end -= size) {
      const part = new Set(group.slice(Math.max(0, end - size), end))
      if (await this.#try(this.best.filter((deviation) => !part.has(deviation)))) found = true
    }
    return found
  }

  /** Lowers each value as far as it goes. */
  async lower(): Promise<void> {
    for (let index = 0; index < this.best.length; index += 1) {
      for (const value of lowerNumbers(this.best[index]?.value ?? 0, 1)) {
        const candidate = this.best.map((deviation, place) => (place === index ? { ...deviation, value } : deviation))
        if (await this.#try(candidate)) break
      }
    }
  }

  /** Moves each decision to an earlier place in its stream: what led to the later one may then be left out. */
  async moveEarlier(): Promise<void> {
    for (let index = 0; index < this.best.length; index += 1) {
      for (const ordinal of lowerNumbers(this.best[index]?.ordinal ?? 0, 0)) {
        if (this.#isTaken(index, ordinal)) continue
        const candidate = this.best.map((deviation, place) => (place === index ? { ...deviation, ordinal } : deviation))
        if (await this.#try(candidate)) break
      }
    }
  }

  #isTaken(index: number, ordinal: number): boolean {
    const moved = this.best[index]
    return this.best.some((other) => other.stream === moved?.stream && other.ordinal === ordinal)
  }

  async #try(candidate: readonly Deviation[]): Promise<boolean> {
    const key = candidate.map(({ stream, ordinal, value }) => `${stream}#${ordinal}=${value}`).join(' ')
    if (this.isOutOfRuns || this.#tried.has(key)) return false
    this.#tried.add(key)
    this.runs += 1
    const came = await this.#stillFails(candidate)
    if (came === undefined) return false
    // A decision that was not asked any more is no part of the failure.
    this.best = sizeOf(came) < sizeOf(candidate) ? came : candidate
    return true
  }
}

/** Numbers from `least` on and below, the smallest first: few tries that come near. */
function lowerNumbers(number: number, least: number): readonly number[] {
  const lower = [least, number >> 2, number >> 1, number - 1]
  return [...new Set(lower)].filter((one) => one >= least && one < number).sort((a, b) => a - b)
}
