import { exits } from '../core/exit.ts'
import type { Cell } from './cell.ts'
import { deadLetter, sayFailed, zombie } from './cell-events.ts'
import type { Directive } from './child-rules.ts'
import type { MessageContext } from './context.ts'
import { unwatchProgress } from './limits.ts'

/** Logic failed. Its parent's decider says what becomes of it; without one it crashes. `context`: the message that it was at. */
export function fail(cell: Cell, error: unknown, context: MessageContext | undefined): void {
  if (cell.status === 'stopped') {
    zombie(cell, 'failure')
    return
  }
  unwatchProgress(cell, context)
  const messageType = context?.message.type
  sayFailed(cell, error, messageType)
  const directive = directiveFor(cell, error, messageType)
  const reason = exits.crash(error)
  // What it had set aside stays so, and is lost or kept with the rest.
  const fate = context === undefined || context.deferred ? 'again' : fateOf(cell, context, directive)
  if (context !== undefined && fate !== 'again') {
    context.envelope?.ask?.targetEnded(reason)
    if (!context.message.type.startsWith('actor.')) deadLetter(cell, context.message, fate, error)
  }
  if (cell.status === 'stopping') return // its last handler failed: the end goes on
  if (directive === 'resume' && cell.definition.host.canResume) return
  if (directive !== 'resume' && cell.verdict === 'restart') cell.parts.verdict = directive
  cell.end(reason)
}

function directiveFor(cell: Cell, error: unknown, messageType: string | undefined): Directive {
  const { decide } = cell.rules
  if (decide === undefined) return 'restart'
  try {
    return decide({ error, path: cell.path, incarnation: cell.incarnation, messageType })
  } catch (deciderError) {
    cell.kernel.observerFailed(`decider of ${cell.path}`, deciderError)
    return 'restart'
  }
}

/** What becomes of the failing message. With `poisonAfter` the next incarnation tries it again, up to so many times. */
function fateOf(cell: Cell, context: MessageContext, directive: Directive): 'again' | 'poison' | 'crashed' {
  const { poisonAfter, keepMailbox } = cell.rules
  if (directive !== 'restart' || poisonAfter === undefined || !keepMailbox) return 'crashed'
  // Signals and ticks belong to their incarnation.
  if (context.message.type.startsWith('actor.') || context.envelope?.timer !== undefined) return 'crashed'
  const item = context.envelope ?? context.message
  const before = cell.madeParts?.failing
  const times = (before?.item === item ? before.times : 0) + 1
  cell.parts.failing = times < poisonAfter ? { item, times } : undefined
  if (times >= poisonAfter) return 'poison'
  if (context.envelope?.ask !== undefined) context.envelope.ask.accepted = false
  cell.lane.forceFirst(item)
  return 'again'
}
