import { MessageInvalidError, MessageUnknownError, TargetDownError } from '../../core/errors.ts'
import { exits } from '../../core/exit.ts'
import { outside } from '../ambient.ts'
import type { Cell } from '../cell.ts'
import type { Letter } from './bodies.ts'
import { NotDurableError } from './errors.ts'
import type { RetryOptions } from './attempts.ts'
import { runEffect } from './effects.ts'
import type { DurableRecord } from './record.ts'
import type { Turn } from './turn.ts'

// Durable messages that charts send. Their transitions wait for nothing, so each message is in the journal together with
// the transition, as the intent of an effect: whoever is brought back with it sends it again, under the same id.

/**
 * The receiver may have no room, or not be there yet when a later life sends: seven minutes altogether, and often enough
 * that many who wait for room all get in.
 */
const patience: RetryOptions = { attempts: 90, maxMs: 5000 }

/** Whether the receiver will never take what it has refused so. */
const isForGood = (error: unknown): boolean =>
  error instanceof MessageInvalidError || error instanceof MessageUnknownError || error instanceof NotDurableError

/** Notes what a transition sends. */
export function noteLetters(record: DurableRecord, { letters = new Map<string, Letter>(), atMs }: Turn): void {
  for (const [key, letter] of letters) record.intent({ key, atMs, idempotent: true, letter })
}

/** Says that a durable message of a chart will not be sent any more. */
export function letterLost({ kernel, path }: Cell, to: string, error: unknown): void {
  kernel.observerFailed(`durable message of ${path} to ${to}`, error)
}

/** Sends one whose transition is on disk. Resolves when it is sent, or given up. Never rejects. */
export async function sendLetter(cell: Cell, key: string, to: string, send: () => Promise<void>): Promise<void> {
  if (cell.status === 'stopped') {
    try {
      await outside(send)
    } catch {
      // The next life sends it too: what comes of it is said there.
    }
    return
  }
  let failure: { readonly error: unknown } | undefined
  const attempt = async (): Promise<void> => {
    try {
      await send()
      failure = undefined
    } catch (error) {
      failure = { error }
      if (!isForGood(error)) throw error
    }
  }
  const options = { idempotent: true, retry: patience }
  // When its actor has ended since, only the note of what became of it is missing.
  await runEffect(cell, undefined, key, attempt, options, outside, () => undefined).catch(() => undefined)
  if (failure !== undefined) letterLost(cell, to, failure.error)
}

/** An actor of the same tree. */
function cellAt(from: Cell, path: string): Cell | undefined {
  let cell: Cell | undefined = from
  while (cell.parent !== undefined) cell = cell.parent
  for (const segment of path.split('/').slice(1)) cell = cell?.children?.get(segment)
  return cell
}

/** Sends what a life before may not have sent. Resolves when that is over, or the actor is to stop. */
export async function resendLetters(cell: Cell, { ledger }: DurableRecord): Promise<void> {
  const { kernel } = cell
  const resend = async (key: string, { id, to, message }: Letter): Promise<void> => {
    const send = async (): Promise<void> => {
      const ref = kernel.durableAt(to) ?? cellAt(cell, to)?.ref
      if (ref === undefined) throw new TargetDownError(to, message.type, exits.noproc)
      await ref.tell(message, { durable: true, id })
    }
    await sendLetter(cell, key, to, send)
  }
  const sent = [...ledger.intents.values()].flatMap(({ key, letter }) => (letter ? [resend(key, letter)] : []))
  if (sent.length === 0) return
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>()
  const stop = (): void => {
    resolve(undefined)
  }
  cell.signal.addEventListener('abort', stop, { once: true })
  await Promise.race([Promise.all(sent), stopped])
  cell.signal.removeEventListener('abort', stop)
}
