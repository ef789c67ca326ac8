import type { Actor, AnyActorLogic } from 'xstate'
import type { Cell } from './cell.ts'
import type { MessageContext } from './context.ts'
import type { HostedSnapshot } from './host.ts'

export type RootActor = Actor<AnyActorLogic>

/** One XState root actor and what its cell needs to know of it. The cell has it as its `hosted`. */
export class Hosted {
  readonly cell: Cell
  readonly actor: RootActor
  /** Its logic runs code that goes on after an `await`, which has to be known as this cell's. */
  readonly isAsync: boolean
  /** What its cell shows: undefined before the first. */
  snapshot: HostedSnapshot | undefined
  /** The message that it is at. */
  context: MessageContext | undefined
  /** Failure that XState reported, until the cell has taken it. */
  failure: { readonly error: unknown } | undefined
  /** Told when XState is through with an event: it has done what the transition deferred, or failed in it. */
  follower: { readonly settled: () => void; readonly failed: (error: unknown) => void } | undefined
  /** Its cell has ended: what XState still reports is of no interest. */
  ended = false
  /** Interrupted children that the chart was told of, and took it. */
  readonly reported = new Set<string>()

  constructor(cell: Cell, actor: RootActor, isAsync: boolean) {
    this.cell = cell
    this.actor = actor
    this.isAsync = isAsync
    hostedByActor.set(actor, this)
  }
}

const hostedByActor = new WeakMap<object, Hosted>()

/** What XState hosts for a cell; undefined before its start, and in the cells of other hosts. */
export const hostedIn = ({ hosted }: Cell): Hosted | undefined => (hosted instanceof Hosted ? hosted : undefined)

/** Tells handler logic that XState hosts what an async handler came to. Never leaves its actor. */
export const settledType = 'xstate.echelon.settled'

/** The context of the message that an XState-hosted actor of ours is at. */
export const hostedContext = (actor: object): MessageContext | undefined => hostedByActor.get(actor)?.context

/** What an XState root actor is hosted as. */
export const hostedOf = (actor: object): Hosted | undefined => hostedByActor.get(actor)

/** The XState actor inside a cell, when there is one. */
export const xstateActorOf = (cell: Cell): RootActor | undefined => hostedIn(cell)?.actor

/** The snapshot of logic of any kind, which XState types as anything. */
export const snapshotOf = (actor: RootActor): HostedSnapshot => actor.getSnapshot() as HostedSnapshot

/** What a chart invoked and spawned, by id. */
export const childrenOf = (snapshot: object): Readonly<Record<string, RootActor>> =>
  (snapshot as { readonly children?: Readonly<Record<string, RootActor>> }).children ?? {}
