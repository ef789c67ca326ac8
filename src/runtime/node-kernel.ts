import type { Cell } from '../actors/cell.ts'
import { DeadLetters } from '../actors/dead-letters.ts'
import { Deadlines } from '../actors/deadlines.ts'
import type { RefOf } from '../actors/actor-context.ts'
import type { AnyDefinition } from '../actors/definition.ts'
import { JournalMissingError } from '../actors/durable/errors.ts'
import type { Kernel } from '../actors/kernel.ts'
import type { Protocol } from '../actors/protocol.ts'
import type { AnyRef, Ref } from '../actors/ref.ts'
import type { Clock } from '../core/clock.ts'
import { eventChannels } from '../core/events.ts'
import { actorPath, type NodeName, type RuntimeId } from '../core/ids.ts'
import type { Random } from '../core/random.ts'
import type { Scheduler } from '../core/scheduler.ts'
import type { DiscoveryKey, EscalationOutcome, EscalationRequest, Topic } from '../core/services.ts'
import { Escalations } from '../supervisors/escalations.ts'
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts'
import type { Activations } from './durable/activations.ts'
import type { DurableRef } from './durable/durable-ref.ts'
import type { Durability } from './durable/durability.ts'
import { Registry } from './registry.ts'
import { Topics } from './topics.ts'

export interface KernelOptions {
  readonly id: RuntimeId
  readonly node: NodeName
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly dispatcher: DispatcherOptions | undefined
  readonly deadLettersKept: number
}

/** What all cells of one runtime share. */
export class NodeKernel implements Kernel {
  readonly id: RuntimeId
  readonly node: NodeName
  readonly clock: Clock
  readonly random: Random
  readonly dispatcher: Dispatcher
  readonly deadLetters: DeadLetters
  readonly deadlines: Deadlines
  readonly registry = new Registry()
  readonly topics: Topics
  readonly escalations: Escalations
  readonly orphans = new Set<Cell>()
  readonly #scheduler: Scheduler
  refusesAsks = false
  durability: Durability | undefined
  /** Set by the runtime: durable actors by key. */
  activations: Activations | undefined
  zombieEffects = 0

  constructor({ id, node, clock, random, scheduler, dispatcher, deadLettersKept }: KernelOptions) {
    this.id = id
    this.node = node
    this.clock = clock
    this.random = random
    this.#scheduler = scheduler
    this.dispatcher = new Dispatcher(clock, scheduler, dispatcher)
    this.deadlines = new Deadlines(clock, (task) => {
      scheduler.later(task)
    })
    this.deadLetters = new DeadLetters(deadLettersKept, (error) => {
      this.observerFailed('dead letters', error)
    })
    this.topics = new Topics((topic, error) => {
      this.observerFailed(`topic '${topic}'`, error)
    })
    this.escalations = new Escalations(this)
  }

  schedule(cell: Cell): void {
    this.dispatcher.schedule(cell)
  }

  // Bound: it is handed on.
  readonly later = (task: () => void): void => {
    this.#scheduler.later(task)
  }

  get<D extends AnyDefinition>(definition: D, key: string): RefOf<D> {
    if (this.activations === undefined) throw new JournalMissingError(`'${definition.name}'`)
    // The ref of a definition's actor has that definition's protocol.
    return this.activations.get(definition, key, undefined) as unknown as RefOf<D>
  }

  durableAt(path: string): DurableRef | undefined {
    return this.activations?.at(path)
  }

  defer(task: () => void): void {
    this.dispatcher.defer(task)
  }

  countZombieEffect(): void {
    this.zombieEffects += 1
  }

  observerFailed(observer: string, error: unknown): void {
    const channel = eventChannels['observer-failed']
    if (!channel.hasSubscribers) return
    const { id, node, clock } = this
    channel.publish({
      type: 'observer-failed',
      runtime: id,
      node,
      path: actorPath('/'),
      incarnation: 1,
      atMs: clock.wallNow(),
      observer,
      error,
    })
  }

  publish(topic: Topic<unknown>, payload: unknown): void {
    this.topics.publish(topic, payload)
  }

  subscribe(topic: Topic<unknown>, listener: (payload: never) => void): () => void {
    return this.topics.subscribe(topic, listener)
  }

  offerService(key: DiscoveryKey<Protocol>, ref: AnyRef): (() => void) | undefined {
    return this.registry.offer(key, ref)
  }

  findServices<P extends Protocol>(key: DiscoveryKey<P>): readonly Ref<P>[] {
    return this.registry.find(key)
  }

  escalate(from: Cell, request: EscalationRequest<string>): Promise<EscalationOutcome<string>> {
    return this.escalations.decide(from, request)
  }
}
