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

/** Sends what a life before may not have sent. Resolves when it is over. */
export async function resendLetters(cell: Cell, { ledger, stream }: DurableRecord): Promise<void> {
  const { kernel } = cell
  const sent = Array.from(ledger.intents.values(), async ({ key, letter }) => {
    if (letter === undefined) return
    const { id, to, message } = letter
    const send = async (): Promise<void> => {
      const ref = kernel.durableAt(to) ?? cellAt(cell, to)?.ref
      if (ref === undefined) throw new TargetDownError(to, message.type, exits.noproc)
      await ref.tell(message, { durable: true, id })
    }
    await sendLetter(cell, key, send, patience).catch((error: unknown) => {
      kernel.observerFailed(`durable message of ${stream} to ${to}`, error)
    })
  })
  await Promise.all(sent)
}
