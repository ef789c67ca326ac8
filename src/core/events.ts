import { channel } from 'node:diagnostics_channel'
import type { ExitReason } from './exit.ts'
import type { ActorPath, NodeName, RuntimeId } from './ids.ts'
import type { DecisionNeeds, Resolution } from './services.ts'

/** What every runtime event says: where it happened and when (epoch milliseconds). */
export interface EventOrigin {
  readonly runtime: RuntimeId
  readonly node: NodeName
  readonly path: ActorPath
  /** Counts restarts at this address, from 1. */
  readonly incarnation: number
  readonly atMs: number
}

/** Why a message became a dead letter. `docs/errors.md` explains each. */
export type DeadLetterReason =
  | 'unknown-message'
  | 'invalid-message'
  | 'mailbox-full'
  | 'dropped-newest'
  | 'dropped-oldest'
  | 'stopped'
  | 'crashed'
  | 'poison'
  | 'late-answer'
  | 'unhandled'
  | 'expired'

/** What an escalation is about: a failure that a tier cannot mend, or a decision beyond its authority. */
export type EscalationReason =
  | { readonly kind: 'failure'; readonly exit: ExitReason }
  | {
      readonly kind: 'decision'
      /** The same for all hops of one decision. */
      readonly id: string
      readonly action: string
      readonly detail: unknown
      readonly needs: DecisionNeeds
      /** What the tier of the one who asks lacks; empty when it asks because it has no choice of its own. */
      readonly lacks: readonly { readonly field: string; readonly needs: unknown; readonly has: unknown }[]
    }

interface EventBodies {
  /** An actor exists; its logic has not run yet. */
  readonly spawned: { readonly definition: string; readonly parent: ActorPath | undefined }
  /** Its first step is done: it takes messages. */
  readonly started: { readonly definition: string }
  /** One message was handled; `durationMs` is clock time, waiting included for async handlers. */
  readonly handled: {
    readonly messageType: string
    readonly from: ActorPath | undefined
    readonly durationMs: number
    /** As the actor saw it. It may hold secrets: logs have its type only. */
    readonly message: unknown
  }
  /** Logic threw or rejected. */
  readonly failed: { readonly error: unknown; readonly messageType: string | undefined }
  /** A supervisor started the child again. */
  readonly restarted: {
    readonly supervisor: ActorPath
    readonly reason: ExitReason
    readonly kept: 'nothing' | 'mailbox'
  }
  readonly escalated: {
    readonly from: ActorPath
    /** The tier that is asked, or `person` past the top. */
    readonly to: ActorPath | 'person'
    readonly reason: EscalationReason
    readonly options: readonly string[]
    /** Choice that is taken when nobody decides before `deadlineMs` (epoch milliseconds). */
    readonly defaultChoice: string | undefined
    readonly deadlineMs: number | undefined
    /** Decides; the first call wins and answers true. Failures have nothing to resolve and always answer false. */
    readonly resolve: (choice: string, note?: string) => boolean
  }
  /** A durable actor was brought back: from its snapshot, which covers `snapshotSeq`, and so many entries after it. */
  readonly recovered: { readonly entries: number; readonly snapshotSeq: number; readonly durationMs: number }
  /** How far the recovery of a durable actor with many entries is. */
  readonly recovering: { readonly entries: number }
  /**
   * An effect of a durable actor was begun before a crash, and nobody knows whether it ran. `settle` decides; the first
   * call wins and answers true.
   */
  readonly 'in-doubt': {
    readonly stream: string
    readonly key: string
    readonly idempotencyKey: string
    /** Epoch milliseconds of the message that began it. */
    readonly beganAtMs: number
    readonly settle: (resolution: Resolution) => boolean
  }
  /** A durable actor had nothing to do and left memory. */
  readonly passivated: { readonly idleMs: number }
  /** The journal takes nothing more. */
  readonly 'journal-failed': { readonly error: unknown }
  /** The incarnation is gone: nothing of it has any effect from here on. */
  readonly stopped: { readonly reason: ExitReason }
  readonly 'dead-letter': {
    readonly reason: DeadLetterReason
    readonly messageType: string
    readonly message: unknown
    readonly error: unknown
  }
  /** A mailbox passed half of its capacity (`rising`), or emptied after that. */
  readonly 'mailbox-pressure': { readonly depth: number; readonly capacity: number; readonly rising: boolean }
  /** Code of a fenced incarnation tried to have an effect, which was discarded. */
  readonly 'zombie-effect': { readonly effect: string }
  /** A listener of ours threw; the runtime goes on. */
  readonly 'observer-failed': { readonly observer: string; readonly error: unknown }
}

export type RuntimeEventType = keyof EventBodies
export type RuntimeEventOf<Type extends RuntimeEventType> = EventOrigin & { readonly type: Type } & EventBodies[Type]
/** Everything that happens in a runtime, as one union by `type`. */
export type RuntimeEvent = { [Type in RuntimeEventType]: RuntimeEventOf<Type> }[RuntimeEventType]

/** The part of a diagnostics channel that we use, typed by what it carries. */
export interface EventChannel<Type extends RuntimeEventType> {
  readonly hasSubscribers: boolean
  publish(event: RuntimeEventOf<Type>): void
  subscribe(listener: (event: unknown) => void): void
  unsubscribe(listener: (event: unknown) => void): boolean
}

function open<Type extends RuntimeEventType>(type: Type): EventChannel<Type> {
  // Node's channels carry anything; on ours, only `publish` above puts something.
  return channel(`echelon:${type}`) as unknown as EventChannel<Type>
}

/**
 * One channel of `node:diagnostics_channel` per event type, named `echelon:<type>`. Check `hasSubscribers` before
 * building an event: an event that nobody listens to must cost nothing.
 */
export const eventChannels = {
  spawned: open('spawned'),
  started: open('started'),
  handled: open('handled'),
  failed: open('failed'),
  restarted: open('restarted'),
  escalated: open('escalated'),
  recovered: open('recovered'),
  recovering: open('recovering'),
  'in-doubt': open('in-doubt'),
  passivated: open('passivated'),
  'journal-failed': open('journal-failed'),
  stopped: open('stopped'),
  'dead-letter': open('dead-letter'),
  'mailbox-pressure': open('mailbox-pressure'),
  'zombie-effect': open('zombie-effect'),
  'observer-failed': open('observer-failed'),
} satisfies { readonly [Type in RuntimeEventType]: EventChannel<Type> }

/** What becomes of the order of messages between actors: who told whom what, and what was set aside to come later. */
export type OrderNote =
  | {
      readonly kind: 'sent'
      readonly node: NodeName
      readonly from: ActorPath
      readonly to: ActorPath
      readonly message: unknown
    }
  | { readonly kind: 'set-aside'; readonly node: NodeName; readonly at: ActorPath; readonly message: unknown }

/**
 * Notes for a simulation, which checks the order of messages. No event of a runtime: two for each message would be too
 * many for those who listen to all of them.
 */
export const orderNotes = channel('echelon:order') as unknown as {
  readonly hasSubscribers: boolean
  publish(note: OrderNote): void
  subscribe(listener: (note: unknown) => void): void
  unsubscribe(listener: (note: unknown) => void): boolean
}

// The keys of an object literal are exactly its type's keys.
export const runtimeEventTypes = Object.keys(eventChannels) as readonly RuntimeEventType[]
