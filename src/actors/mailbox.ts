import { DefinitionInvalidError } from '../core/errors.ts'

/**
 * What happens to a message for a full mailbox. None of them throws into a plain `tell`: what is not taken becomes a
 * dead letter, an ask or an `offer` learns of it.
 *
 * - `reject`: the new message is refused.
 * - `drop-newest`: the new message is dropped.
 * - `drop-oldest`: the oldest queued message is dropped to make room.
 * - `park`: an `await ref.offer(...)` waits for room; a plain `tell` is refused, since it cannot wait.
 */
export type OverflowPolicy = 'reject' | 'drop-newest' | 'drop-oldest' | 'park'

export interface MailboxOptions {
  /** Messages that wait at most. Default 4,096. Signals of the runtime wait in order with them and are never refused or dropped. */
  readonly capacity?: number
  /** Default `reject`. */
  readonly overflow?: OverflowPolicy
  /** Senders that wait at most under `park`. Default 1,024. */
  readonly parkedCapacity?: number
  /** Messages that `stash` and `postpone` may hold at most. Default 1,024. */
  readonly stashCapacity?: number
}

export type MailboxLimits = Readonly<Required<MailboxOptions>>

const defaults: MailboxLimits = { capacity: 4096, overflow: 'reject', parkedCapacity: 1024, stashCapacity: 1024 }
const policies: readonly OverflowPolicy[] = ['reject', 'drop-newest', 'drop-oldest', 'park']

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a bound that is not a positive integer, or an unknown policy. */
export function mailboxLimits(where: string, options: MailboxOptions = {}): MailboxLimits {
  if (Object.keys(options).length === 0) return defaults
  const limits = { ...defaults, ...options }
  for (const bound of ['capacity', 'parkedCapacity', 'stashCapacity'] as const) {
    const value = limits[bound]
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new DefinitionInvalidError(`${where}.mailbox.${bound}`, `${value} is not a positive integer of messages`)
    }
  }
  if (!policies.includes(limits.overflow)) {
    throw new DefinitionInvalidError(
      `${where}.mailbox.overflow`,
      `'${limits.overflow}' is none of ${policies.join(', ')}`,
    )
  }
  return limits
}
