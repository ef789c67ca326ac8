/** The system calls by which SQLite and the witness beside it change files, and by which they open them. */
export const calls = [
  'openat',
  'pwrite64',
  'write',
  'fsync',
  'fdatasync',
  'ftruncate',
  'link',
  'rename',
  'unlink',
] as const
export type Call = (typeof calls)[number]

/**
 * What happens to a call, all but `lie` without it being done. `kill`: the process dies. `EIO`, `ENOSPC`: it fails.
 * `lie`: a write says that it wrote its first bytes, which it did not; the rest is written then.
 */
export type Fault = 'kill' | 'EIO' | 'ENOSPC' | 'lie'

/** One run of the workload: which call is hit, and whether only that one or all after it too. */
export interface Point {
  readonly call: Call
  readonly fault: Fault
  readonly isSticky: boolean
  /** Counts the calls of this name on the files of the journal, from 1. */
  readonly nth: number
}

/** Bytes that a write pretends to have written: fewer than any write here has. */
const pretended = 10

/** What is done to a call, by itself and by all of its kind. */
const variants: readonly { readonly fault: Fault; readonly isSticky: boolean; readonly only?: readonly Call[] }[] = [
  { fault: 'kill', isSticky: false },
  { fault: 'EIO', isSticky: false },
  { fault: 'EIO', isSticky: true },
  { fault: 'ENOSPC', isSticky: false },
  { fault: 'ENOSPC', isSticky: true },
  { fault: 'lie', isSticky: false, only: ['pwrite64', 'write'] },
  { fault: 'lie', isSticky: true, only: ['pwrite64', 'write'] },
]

/** A row of points that differ in which call is hit only. */
export type Row = Omit<Point, 'nth'>

export const rows: readonly Row[] = calls.flatMap((call) =>
  variants
    .filter(({ only }) => only === undefined || only.includes(call))
    .map(({ fault, isSticky }) => ({ call, fault, isSticky })),
)

/** As strace takes it. */
export function injection({ call, fault, isSticky, nth }: Point): string {
  const what = { kill: 'signal=KILL', EIO: 'error=EIO', ENOSPC: 'error=ENOSPC', lie: `retval=${pretended}` }[fault]
  return `${call}:${what}:when=${nth}${isSticky ? '+' : ''}`
}

export const describePoint = ({ call, fault, isSticky, nth }: Point): string =>
  `${call} ${nth}${isSticky ? ' and on' : ''}: ${fault}`
