import type { AnyDefinition, InputOf } from '../../actors/definition.ts'
import type { Random } from '../../core/random.ts'
import type { Duration } from '../duration.ts'
import type { Calls } from './calls.ts'
import type { ClientRef } from './client.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SimulatedNode } from './node.ts'

/** What broke in a world. */
export interface Violation {
  /** The name of the invariant, or `run` for what the scenario itself threw. */
  readonly invariant: string
  readonly message: string
  readonly error: unknown
  readonly step: number
  /** Milliseconds since the world began. */
  readonly atMs: number
}

export interface RetryTerms {
  /** Default 60. */
  readonly attempts?: number
  /** Milliseconds between the first two; twice as many each time, up to twenty times. Default 500. */
  readonly everyMs?: number
}

/** A simulated world, as its scenario and its invariants have it. Everything in it is decided by its seed. */
export interface World {
  /** Milliseconds since it began. */
  readonly nowMs: number
  /** Random numbers of the scenario. */
  readonly random: Random
  readonly nodes: readonly SimulatedNode[]
  node(name: string): SimulatedNode
  /** The durable actor with this key, on the first node that knows its definition, as a client has it. */
  get<D extends AnyDefinition>(definition: D, key: string, options?: { readonly input?: InputOf<D> }): ClientRef<D>
  /** A decision of the scenario: 0 to `n` - 1. 0 is the simplest: a failure is shrunk towards it. */
  choose(n: number, label?: string): number
  /** From `min` to `max`. */
  integer(min: number, max: number, label?: string): number
  pick<T>(values: readonly T[], label?: string): T
  /** Does up to `times` of the actions, one after another: which, the world decides. A failure is shrunk to the fewest. */
  repeat(times: number, actions: Readonly<Record<string, () => void | Promise<void>>>): Promise<void>
  /** Milliseconds, or as `'90s'`. */
  sleep(duration: Duration): Promise<void>
  /**
   * As a client does it: tries again as long as nodes are down, their journals fail, or an error says that it is
   * `retryable`. Rejects with the last error.
   */
  retrying<T>(attempt: () => Promise<T>, terms?: RetryTerms): Promise<T>
  // It asserts nothing to the compiler, which would want `world` annotated wherever it is used.
  /** Breaks the scenario unless `condition` holds. */
  expect(condition: boolean, message: string): void
  /** Breaks the scenario. */
  fail(message: string): never
  /** The world has come by something that a campaign has to come by. */
  sometimes(name: string): void
  /** Adds a line to the trace, and to the diagram of a failure. */
  note(what: string): void
  /** From here on nothing fails; what is down or paused stays so until it comes back by itself. */
  calm(): void
  /** Calls that simulated services got. */
  readonly calls: Calls
  /** Between the nodes. */
  readonly network: SimulatedNetwork
  /**
   * Lets something real through, which is waited for in real time. The run is not repeatable from there on, and its
   * report says so.
   */
  external<T>(reason: string, real: () => Promise<T>): Promise<T>
}
