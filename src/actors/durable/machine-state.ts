import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, Snapshot } from 'xstate'
import { InterruptedError } from '../../core/errors.ts'
import type { Message } from '../../core/message.ts'
import { childrenOf, snapshotOf, type RootActor } from '../hosted.ts'
import type { PersistedChart } from '../restore.ts'
import { isEffectLogic } from './effect-logic.ts'
import { EffectFailedError, NotReplayableError } from './errors.ts'
import type { KeptState } from './record.ts'
import { encode } from './values.ts'

// The state of a chart as a journal has it, and what becomes of what it invoked and spawned.

/** The snapshot of a chart as a journal has it. */
export type PersistedMachine = PersistedChart & { readonly value: unknown; readonly context: unknown }

/** How a child of a chart ended, as its snapshot says it. */
interface ChildEnd {
  readonly status: Snapshot<unknown>['status']
  readonly output: unknown
  readonly error: unknown
}

/** Whether an event says that a child has ended. */
export const isChildEnd = ({ type }: AnyEventObject): boolean =>
  type.startsWith('xstate.done.actor.') || type.startsWith('xstate.error.actor.')

/**
 * How the children of one chart ended, as far as it was told. A child counts as at work until then, whatever it knows
 * itself: its chart would wait for ever if a crash came in between.
 */
export class ChildEnds {
  readonly #ends = new WeakMap<object, ChildEnd>()

  /** Those of a chart that was restored from what `persisted` gave; `isUntold`: it is to be told of the end of this one. */
  static restored(snapshot: object, isUntold: (child: object) => boolean): ChildEnds {
    const ends = new ChildEnds()
    for (const child of Object.values(childrenOf(snapshot))) {
      const { status, output, error } = snapshotOf(child) as ChildEnd
      if (status !== 'active' && !isUntold(child)) ends.#ends.set(child, { status, output, error })
    }
    return ends
  }

  get(child: object): ChildEnd | undefined {
    return this.#ends.get(child)
  }

  /** The chart was told of the end of a child, which it had in `before`. */
  note(before: object, event: AnyEventObject): void {
    if (!isChildEnd(event)) return
    // XState's events of this kind say whose end it is.
    const child = childrenOf(before)[String(event['actorId'])]
    const status = event.type.startsWith('xstate.done.') ? 'done' : 'error'
    if (child !== undefined) this.#ends.set(child, { status, output: event['output'], error: event['error'] })
  }
}

/** The state of a chart as its journal is to have it. */
export function keptState(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, ends: ChildEnds): KeptState {
  return {
    kept: () => persisted(machine, snapshot, ends),
    digested: () => ({
      status: snapshot.status,
      // XState types the state value of a machine that may be any as anything.
      value: snapshot.value as unknown,
      context: withoutActors(snapshot.context, childrenOf(snapshot), 0),
    }),
  }
}

/**
 * As XState's getPersistedSnapshot, but of a child only what a restored chart can do something with: an effect goes on,
 * and anything else has failed.
 */
export function persisted(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, ends: ChildEnds): PersistedMachine {
  // XState types what it persists as a snapshot of any logic: that of a machine has a value.
  const own = machine.getPersistedSnapshot({ ...snapshot, context: {}, children: {} }) as PersistedMachine
  const children = Object.entries(childrenOf(snapshot)).map(([id, child]) => {
    const { src, systemId } = child
    return [id, { src, systemId, snapshot: persistedChild(child, ends) }] as const
  })
  const context = withoutActors(snapshot.context, childrenOf(snapshot), 0)
  return { ...own, context, children: Object.fromEntries(children) } as PersistedMachine
}

function persistedChild(child: RootActor, ends: ChildEnds): object {
  const { value, input } = child.getSnapshot() as { readonly value?: unknown; readonly input?: unknown }
  const end = ends.get(child) ?? { status: 'active', output: undefined, error: undefined }
  if (value !== undefined) return { ...end, value, context: {}, children: {}, historyValue: {} }
  return isEffectLogic(child.logic) && end.status === 'active' ? { ...end, input } : { ...end, input: undefined }
}

/** Nested deeper than this is taken for a cycle, which `encode` refuses. */
const deepest = 500

/** A context with the names of its children in the places of their refs, as XState writes them; of those that are gone nothing. */
function withoutActors(part: unknown, children: Readonly<Record<string, object>>, depth: number): unknown {
  if (typeof part !== 'object' || part === null || depth > deepest) return part
  if (isActor(part)) return children[part.id] === part ? { xstate$$type: 1, id: part.id } : undefined
  if (Array.isArray(part)) {
    const parts = part.map((each: unknown) => withoutActors(each, children, depth + 1))
    return parts.some((each, at) => each !== part[at]) ? parts : part
  }
  const prototype: unknown = Object.getPrototypeOf(part)
  if (prototype !== Object.prototype && prototype !== null) return part
  const entries = Object.entries(part).map(([key, each]) => [key, withoutActors(each, children, depth + 1)] as const)
  return entries.some(([key, each]) => each !== (part as Record<string, unknown>)[key])
    ? Object.fromEntries(entries)
    : part
}

const isActor = (part: object): part is AnyActorRef => 'sessionId' in part && 'ref' in part && part.ref === part

/**
 * Refuses children that another run could not find again.
 * @throws {NotReplayableError} `NOT_REPLAYABLE`, {NotSerializableError} `NOT_SERIALIZABLE` for the input of an effect that is no data.
 */
export function checkChildren(path: string, type: string, before: object, after: object): void {
  const known = childrenOf(before)
  const children = childrenOf(after)
  if (known === children) return
  for (const [id, child] of Object.entries(children)) {
    if (known[id] === child) continue
    if (child.id === child.sessionId)
      throw new NotReplayableError(path, type, 'a child without an id', `give it one: spawn(…, { id: 'worker' })`)
    if (typeof child.src !== 'string')
      throw new NotReplayableError(path, type, `child '${id}'`, 'give its logic a name, in setup({ actors })')
    const { input } = child.getSnapshot() as { readonly input?: unknown }
    if (isEffectLogic(child.logic)) encode(input, `the input of '${id}'`)
  }
}

/** What the journal keeps beside the error of an effect that failed, to make it anew. */
interface FailedEffect {
  readonly key: string
  readonly failure: EffectFailedError['failure']
}

/**
 * An event as the journal has it: the failure of an effect keeps what a guard or an action may ask for. `blob`: the
 * journal has the output of an effect already, there.
 */
export function keptEvent(event: AnyEventObject, blob: string | undefined): Message {
  if (blob !== undefined && 'output' in event) {
    const { output: _, ...rest } = event
    return { ...rest, outputBlob: blob } as Message
  }
  const error: unknown = event['error']
  if (!(error instanceof EffectFailedError) || !isChildEnd(event)) return event
  const effect: FailedEffect = { key: error.key, failure: error.failure }
  return { ...event, effect } as Message
}

/** Where the journal has the output of the event behind `keptEvent`, when it is not in there. */
export const outputBlobOf = (event: AnyEventObject): string | undefined =>
  isChildEnd(event) && typeof event['outputBlob'] === 'string' ? event['outputBlob'] : undefined

/** The event behind `keptEvent`, with errors of the classes that they had. */
export function revivedEvent(path: string, event: AnyEventObject): AnyEventObject {
  if (!isChildEnd(event)) return event
  const { effect, ...plain } = event as AnyEventObject & { readonly effect?: FailedEffect }
  if (effect !== undefined) return { ...plain, error: new EffectFailedError(path, effect.key, effect.failure) }
  const error: unknown = plain['error']
  const isInterruption = error instanceof Error && 'code' in error && error.code === 'INTERRUPTED'
  return isInterruption ? { ...plain, error: new InterruptedError(path, String(plain['actorId'])) } : event
}
