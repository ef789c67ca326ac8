import { TargetDownError } from '../../core/errors.ts'
import { asError, exits } from '../../core/exit.ts'
import { outside } from '../ambient.ts'
import type { Cell } from '../cell.ts'
import type { Letter } from './bodies.ts'
import { runEffect, type RetryOptions } from './effects.ts'
import type { DurableRecord } from './record.ts'
import type { Turn } from './turn.ts'

// Durable messages that charts send. Their transitions wait for nothing, so each message is in the journal together with
// the transition, as the intent of an effect: whoever is brought back with it sends it again, under the same id.

/** In a later life the receiver may not be there yet, or not be taking messages: seven minutes altogether. */
const patience: RetryOptions = { attempts: 22 }

/** Notes what a transition sends. */
export function noteLetters(record: DurableRecord, { letters = new Map<string, Letter>(), atMs }: Turn): void {
  for (const [key, letter] of letters) record.intent({ key, atMs, idempotent: true, letter })
}

/** Sends one whose transition is on disk. Rejects as `send` does. */
export async function sendLetter(
  cell: Cell,
  key: string,
  send: () => Promise<void>,
  retry?: RetryOptions,
): Promise<void> {
  // The next life sends it too, and its receiver knows it then.
  if (cell.status === 'stopped') return outside(send)
  let last: { readonly error: unknown } | 'sent' | undefined
  const attempt = async (): Promise<void> => {
    try {
      await send()
      last = 'sent'
    } catch (error) {
      last = { error }
      throw error
    }
  }
  const options = { idempotent: true, ...(retry === undefined ? {} : { retry }) }
  try {
    await runEffect(cell, undefined, key, attempt, options, outside, () => undefined)
  } catch (error) {
    // Its actor may have ended since: then only the note that it was sent is missing.
    if (last !== 'sent') throw asError(last === undefined ? error : last.error)
  }
}

/** An actor of the same tree. */
function cellAt(from: Cell, path: string): Cell | undefined {
  let cell: Cell | undefined = from
  while (cell.parent !== undefined) cell = cell.parent
  for (const segment of path.split('/').slice(1)) cell = cell?.children?.get(segment)
  return cell
}

/** Sends what a life before may not have sent. Resolves when that is over, or the actor is to stop. */
export async function resendLetters(cell: Cell, { ledger, stream }: DurableRecord): Promise<void> {
  const { kernel } = cell
  const resend = async (key: string, { id, to, message }: Letter): Promise<void> => {
    const send = async (): Promise<void> => {
      const ref = kernel.durableAt(to) ?? cellAt(cell, to)?.ref
      if (ref === undefined) throw new TargetDownError(to, message.type, exits.noproc)
      await ref.tell(message, { durable: true, id })
    }
    await sendLetter(cell, key, send, patience).catch((error: unknown) => {
      kernel.observerFailed(`durable message of ${stream} to ${to}`, error)
    })
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
