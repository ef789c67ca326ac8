// What a life and the process that watches it say to each other: one JSON value per line.

/** What a life is started with. */
export interface LifeInput {
  readonly journal: string
  /** File that stands for the outside world: see `outside.ts`. */
  readonly outside: string
  readonly seed: string
  /** `load`: works until it is killed. `settle`: finishes what is open, reports everything, and ends. */
  readonly mode: 'load' | 'settle'
  /** The last operation of each client that was acknowledged. */
  readonly acknowledged: Readonly<Record<string, number>>
  /** What was answered before and is to be asked for again, by `keyOf`. */
  readonly again: readonly string[]
}

/** What an actor has counted. */
export interface Progress {
  /** The last number of each client. */
  readonly last: Readonly<Record<string, number>>
  /** What should not have happened, the last few. */
  readonly problems: readonly string[]
}

/** Things that a campaign has to have seen, or it proves little. */
export const sights = [
  'passivated',
  'recovered from a snapshot',
  'compacted',
  'in doubt',
  'settled by a rule',
  'settled by a person',
  'left in doubt',
  'timer after a restart',
] as const
export type Sight = (typeof sights)[number]

/** What a life says. Each is said after it is so. */
export type Fact =
  | { readonly kind: 'up' }
  /** The operation `n` of a client was acknowledged. */
  | { readonly kind: 'told'; readonly client: string; readonly n: number }
  /** As `told`, with the answer that its effect came to. */
  | { readonly kind: 'answered'; readonly client: string; readonly n: number; readonly value: string }
  /** An answer that was asked for again. */
  | { readonly kind: 'again'; readonly key: string; readonly value: string }
  | { readonly kind: 'progress'; readonly actor: string; readonly progress: Progress }
  /** A job: how often it was started, what its effect came to, and whether it came to its end. */
  | { readonly kind: 'job'; readonly name: string; readonly job: JobState }
  /** Timers that are still to ring when all had the time to. */
  | { readonly kind: 'unrung'; readonly timers: number }
  | { readonly kind: 'seen'; readonly sight: Sight }
  /** Something failed that may not. */
  | { readonly kind: 'trouble'; readonly text: string }
  | { readonly kind: 'settled' }

export interface JobState {
  readonly starts: number
  readonly receipt: string
  readonly ended: number
}

/** The name of an operation, and of its effect. */
export const keyOf = (client: string, n: number): string => `${client}-${n}`
