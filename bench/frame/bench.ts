/**
 * What a bench is: one question, several subjects that answer it in the same unit, and the goals of one of them.
 *
 * Invariants of every figure that comes out of here:
 * 1. A subject runs in a process of its own: nothing that another subject does warms, heats up or fills its heap.
 * 2. Subjects of one bench take turns, run by run, so that noise on the machine hits all alike.
 * 3. The first runs are warm-up and do not count; a value is the median of the runs that count.
 * 4. A ratio is the median of the ratios within each round, so that a slow minute changes both sides of it.
 */

/** One measurement in the unit of its bench; `p99` too, where the bench is about latency. */
export interface Sample {
  readonly value: number
  readonly p99?: number
}

/** Measures once, for about `ms` milliseconds. It is called several times in one process. */
export type Run = (ms: number) => Sample | Promise<Sample>

/** Prepares a subject in its fresh process and returns what measures it. It imports what it measures itself. */
export type Prepare = () => Run | Promise<Run>

/** A subject from the package under `bench/peers/`, which is installed when a bench first needs it. */
export interface PeerSubject {
  readonly kind: 'peer'
  readonly prepare: Prepare
}

/** A subject written in Erlang: `module:function()` in `bench/peers/erlang/` returns a fun that measures once. */
export interface ErlangSubject {
  readonly kind: 'erlang'
  readonly module: string
  readonly function: string
  readonly flags: readonly string[]
}

export type Subject = Prepare | PeerSubject | ErlangSubject

/** A bound on one subject: on its value, or, with `to`, on the ratio of its value to that of another subject. */
export interface Goal {
  readonly subject: string
  readonly to?: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly p99AtMost?: number
  /** What we hope for beyond the goal; printed, never checked. */
  readonly aim?: number
}

export interface Bench {
  readonly name: string
  readonly question: string
  readonly unit: string
  readonly subjects: Readonly<Record<string, Subject>>
  readonly goals: readonly Goal[]
  /** A new process for each run, and no warm-up: for memory, where what an earlier run left behind would count. */
  readonly fresh?: boolean
  /** Runs that count; 7 unless told. */
  readonly runs?: number
  readonly nodeFlags?: readonly string[]
}

export function peer(prepare: Prepare): PeerSubject {
  return { kind: 'peer', prepare }
}

/** `flags` are for the emulator, beside the `+S 1` that every Erlang subject gets. */
export function erlang(module: string, fn: string, flags: readonly string[] = []): ErlangSubject {
  return { kind: 'erlang', module, function: fn, flags }
}
