import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'

/** How the order of what is ready is searched. */
export type StrategyName = 'fifo' | 'random' | 'pct' | 'procrastinate' | 'sticky'

/** Which of those that are ready is next: an index into `labels`, which are in the order in which they became ready. */
export interface Strategy {
  readonly name: string
  pick(labels: readonly string[], random: Random): number
}

/** First in, first out: the order of a run in which nothing is odd. */
const fifo: Strategy = { name: 'fifo', pick: () => 0 }

/** Each as likely as the others, each time. */
const uniform: Strategy = { name: 'random', pick: (labels, random) => random.int(labels.length) }

/** Steps after which PCT changes no priority any more. */
const longestWorld = 3000

/**
 * Probabilistic concurrency testing: whoever comes up gets a priority at random, and the highest runs, save at
 * `depth` - 1 steps, at which whoever would run falls below all others. Finds a bug that needs `depth` ordering
 * constraints among n actors and k steps with a probability of at least 1 / (n * k ^ (depth - 1)).
 * @see https://doi.org/10.1145/1736020.1736040
 */
function pct(depth: number, seed: Random): Strategy {
  const priorities = new Map<string, number>()
  // How long a world will be is not known: changes come as often from the 3rd to the 30th step as from the 30th to the 300th.
  const changes = new Set(Array.from({ length: depth - 1 }, () => Math.floor(longestWorld ** seed.next())))
  let step = 0
  let lowest = 0
  const priorityOf = (label: string): number => {
    let priority = priorities.get(label)
    if (priority === undefined) priorities.set(label, (priority = seed.next()))
    return priority
  }
  return {
    name: `pct(${depth})`,
    pick: (labels) => {
      const best = bestOf(labels, priorityOf)
      step += 1
      if (!changes.has(step)) return best
      lowest -= 1
      priorities.set(labels[best] ?? '', lowest)
      return bestOf(labels, priorityOf)
    },
  }
}

/** Leaves one of those that are ready waiting as long as any other can go on, and then another. */
function procrastinate(seed: Random): Strategy {
  let victim: string | undefined
  let patience = 0
  return {
    name: 'procrastinate',
    pick: (labels, random) => {
      if (patience <= 0) {
        victim = labels[seed.int(labels.length)]
        patience = 5 + random.int(60)
      }
      patience -= 1
      const other = labels.findIndex((label) => label !== victim)
      return Math.max(0, other)
    },
  }
}

/** Goes on with whoever ran last for as long as it can. */
function sticky(): Strategy {
  let last: string | undefined
  return {
    name: 'sticky',
    pick: (labels, random) => {
      const same = last === undefined ? -1 : labels.indexOf(last)
      const index = same >= 0 && random.int(16) > 0 ? same : random.int(labels.length)
      last = labels[index]
      return index
    },
  }
}

function bestOf(labels: readonly string[], priorityOf: (label: string) => number): number {
  let best = 0
  let highest = -Infinity
  for (let index = 0; index < labels.length; index += 1) {
    const priority = priorityOf(labels[index] ?? '')
    if (priority > highest) [best, highest] = [index, priority]
  }
  return best
}

/** A strategy for one run. */
export function strategyOf(name: StrategyName, seed: Random): Strategy {
  switch (name) {
    case 'fifo':
      return fifo
    case 'random':
      return uniform
    case 'pct':
      return pct(1 + seed.int(3), seed)
    case 'procrastinate':
      return procrastinate(seed)
    case 'sticky':
      return sticky()
    default:
      throw new DefinitionInvalidError('strategy', `there is no '${String(name satisfies never)}'`)
  }
}

/** How many seeds of a hundred each strategy gets: PCT finds most, and each of the others something that it does not. */
const shares: readonly (readonly [StrategyName, number])[] = [
  ['pct', 40],
  ['random', 25],
  ['fifo', 15],
  ['procrastinate', 10],
  ['sticky', 10],
]

/** The strategy of a seed in a campaign that uses all of them. */
export function drawnStrategy(seed: Random): StrategyName {
  let ticket = seed.int(100)
  for (const [name, share] of shares) {
    if (ticket < share) return name
    ticket -= share
  }
  return 'fifo'
}
