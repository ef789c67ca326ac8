import type { Clock } from '../core/clock.ts'
import type { NodeName, RuntimeId } from '../core/ids.ts'
import type { Random } from '../core/random.ts'
import type { DiscoveryKey, EscalationRequest, EscalationOutcome, Topic } from '../core/services.ts'
import type { Cell } from './cell.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { RefOf } from './actor-context.ts'
import type { AnyDefinition } from './definition.ts'
import type { DurabilityPort } from './durable/port.ts'
import type { Deadlines } from './deadlines.ts'
import type { AnyRef, LocalRef, Ref } from './ref.ts'
import type { Protocol } from './protocol.ts'

/** What a cell needs from the runtime that it lives in: the seam between one actor and everything around it. */
export interface Kernel {
  readonly id: RuntimeId
  readonly node: NodeName
  readonly clock: Clock
  readonly random: Random
  readonly deadLetters: DeadLetters
  /** Of asks. */
  readonly deadlines: Deadlines
  /** Actors whose parent was killed, and that have not stopped yet. */
  readonly orphans: Set<Cell>
  /** Shutting down: asks from outside its actors are refused. */
  readonly refusesAsks: boolean
  /** Gives the cell a turn soon. Call it once until `cell.run` was called. */
  schedule(cell: Cell): void
  /** Runs `task` in a turn of its own, never on the caller's stack. */
  defer(task: () => void): void
  /** Runs `task` as a macrotask: when all that is under way has gone as far as it can. */
  later(task: () => void): void
  /** Of durable actors. Undefined when the runtime has no journal. */
  readonly durability: DurabilityPort | undefined
  /** The durable actor with this key. */
  get<D extends AnyDefinition>(definition: D, key: string): RefOf<D>
  /** The one that `get` gives at this path. Undefined for another path, or when nobody knows its definition yet. */
  durableAt(path: string): Pick<LocalRef, 'tell'> | undefined
  countZombieEffect(): void
  observerFailed(observer: string, error: unknown): void

  /** Publishes to the subscribers that the topic has now. */
  publish(topic: Topic<unknown>, payload: unknown): void
  subscribe(topic: Topic<unknown>, listener: (payload: never) => void): () => void
  /** Makes `ref` findable under `key`; the result takes it back. */
  offerService(key: DiscoveryKey<Protocol>, ref: AnyRef): (() => void) | undefined
  findServices<P extends Protocol>(key: DiscoveryKey<P>): readonly Ref<P>[]
  escalate(from: Cell, request: EscalationRequest<string>): Promise<EscalationOutcome<string>>
}
