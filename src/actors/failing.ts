import { exits, type ExitReason } from '../core/exit.ts'
import type { Cell } from './cell.ts'
import { deadLetter, sayFailed, zombie } from './cell-events.ts'
import type { Directive } from './child-rules.ts'
import type { MessageContext } from './context.ts'
import { isInJournal } from './envelope.ts'
import { unwatchProgress } from './limits.ts'

/**
 * What becomes of the message at which an actor fails. `aside`: it was set aside, and is lost or kept with the rest.
 * `kept`: the journal has it and brings it back. `again`: the next incarnation tries it again.
 */
type Fate = 'aside' | 'kept' | 'again' | 'poison' | 'crashed'

/** Logic failed. Its parent's decider says what becomes of it; without one it crashes. `context`: the message that it was at. */
export function fail(cell: Cell, thrown: unknown, context: MessageContext | undefined): void {
  if (cell.status === 'stopped') {
    zombie(cell, 'failure')
    return
  }
  unwatchProgress(cell, context)
  const divergence = context?.turn?.script?.divergence
  const error = divergence ?? thrown
  const messageType = context?.message.type
  sayFailed(cell, error, messageType)
  const directive = directiveFor(cell, error, messageType)
  const reason = exits.crash(error)
  const fate = context && fateOf(cell, context, directive, divergence !== undefined)
  if (context !== undefined && fate !== undefined) settle(context, fate, error, reason)
  if (cell.status === 'stopping') return // its last handler failed: the end goes on
  // What the journal brings back comes with the next incarnation only.
  if (directive === 'resume' && cell.definition.host.canResume && fate !== 'kept') return
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

/** With `poisonAfter` the next incarnation tries a message again, up to so many times. */
function fateOf(cell: Cell, context: MessageContext, directive: Directive, diverged: boolean): Fate {
  if (context.deferred) return 'aside'
  if (isKept(context, diverged)) return 'kept'
  const { poisonAfter, keepMailbox } = cell.rules
  if (directive !== 'restart' || poisonAfter === undefined || !keepMailbox) return 'crashed'
  if (!isTriedAgain(context)) return 'crashed'
  const item = failingItem(context)
  const before = cell.madeParts?.failing
  const times = (before?.item === item ? before.times : 0) + 1
  cell.parts.failing = times < poisonAfter ? { item, times } : undefined
  return times < poisonAfter ? 'again' : 'poison'
}

/**
 * Whether a durable actor fails at a message that the journal has and that did nothing wrong: it was not begun, or its
 * handler was cut off by a stop, or is not the one that began it.
 */
function isKept({ cell, turn, envelope }: MessageContext, diverged: boolean): boolean {
  if (turn === undefined) return envelope !== undefined && isInJournal(envelope)
  if (turn.of === undefined) return false
  if (diverged) return true
  // Of one that was not told durably nobody knows whether a journal that was lost has it.
  return cell.aborted && (envelope?.delivery !== undefined || cell.record?.isLost === false)
}

/** Signals and ticks belong to their incarnation, what was handled is not tried again, and a lost journal takes no try. */
function isTriedAgain({ cell, message, envelope, turn }: MessageContext): boolean {
  if (message.type.startsWith('actor.') || envelope?.timer !== undefined || cell.record?.isLost === true) return false
  return turn === undefined || (!turn.isOver && turn.received.timer === undefined)
}

/** By which a message is known when it comes again: its entry when a journal has it, or itself. */
export const failingItem = ({ turn, envelope, message }: MessageContext): object | number =>
  turn?.of ?? envelope ?? message

/** Does with the message what its fate says; the journal says the same. */
function settle(context: MessageContext, fate: Fate, error: unknown, reason: ExitReason): void {
  const { cell, turn, envelope, message } = context
  const record = turn?.isOver === false ? cell.record : undefined
  switch (fate) {
    case 'aside':
      return
    case 'kept':
      if (turn !== undefined) record?.left(turn, reason)
      return
    case 'again':
      tryAgain(context, turn && record?.again(turn, error), reason)
      return
    case 'poison':
    case 'crashed':
      if (turn !== undefined) record?.failed(turn, error)
      envelope?.ask?.targetEnded(reason)
      if (!message.type.startsWith('actor.')) deadLetter(cell, message, fate, error)
      return
    default:
      return fate satisfies never
  }
}

/** `seq`: its entry, when the journal brings it back. Otherwise the mailbox does. */
function tryAgain({ cell, envelope, message }: MessageContext, seq: number | undefined, reason: ExitReason): void {
  const asked = envelope?.ask
  if (seq === undefined) {
    if (asked !== undefined) asked.accepted = false
    cell.lane.forceFirst(envelope ?? message)
    return
  }
  // A journal knows nobody who waits for an answer.
  asked?.targetEnded(reason)
  const { failing } = cell.parts
  if (failing !== undefined) cell.parts.failing = { ...failing, item: seq }
}
