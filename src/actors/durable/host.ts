import { ambient, currentContext } from '../ambient.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { asError } from '../../core/exit.ts'
import type { Cell } from '../cell.ts'
import { zombie } from '../cell-events.ts'
import { MessageContext } from '../context.ts'
import { Envelope } from '../envelope.ts'
import type { HandlerLogic } from '../handler-logic.ts'
import { isPromise } from '../handler-logic.ts'
import type { Host } from '../host.ts'
import { leanHost } from '../lean-host.ts'
import { settleOrphans } from './effects.ts'
import { JournalMissingError, NotReplayableError } from './errors.ts'
import { DurableRecord } from './record.ts'
import { Recovery, type Rebuild } from './recovery.ts'
import type { Turn } from './turn.ts'

/**
 * Runs handler logic whose messages, effects and timers are in a journal. It is brought back before it takes its first
 * message; each message is a turn, of which the journal learns when it is over.
 */
export function durableHost(logic: HandlerLogic): Host {
  const lean = leanHost(logic)
  return {
    ...lean,
    start(cell) {
      const record = openRecord(cell, false)
      void bringBack(cell, record, rebuildOf(cell, logic), () => {
        cell.publish(cell.hosted, false)
      })
    },
    // What it comes through on its way back is nothing to show, except to its own handlers.
    snapshot(cell) {
      const isShown = cell.record?.isReady === true || cell.status === 'stopped' || currentContext()?.cell === cell
      return isShown ? lean.snapshot(cell) : undefined
    },
    react(context) {
      const { cell, message, envelope } = context
      const { record } = cell
      if (record === undefined) return undefined
      if (message.type.startsWith('actor.')) return reactToSignal(logic, context)
      const turn = record.open(message, envelope?.delivery)
      context.turn = turn
      return takeTurn(logic, context, record, turn)
    },
    end(cell, reason) {
      if (cell.record?.isReady !== true) cell.hosted = undefined
      for (const { turn } of cell.inHand) if (turn?.isOver === false) cell.record?.left(turn, reason)
      closeRecord(cell, reason.kind === 'normal' || reason.kind === 'shutdown', () => cell.hosted)
    },
  }
}

/** Gives a cell its record, and holds its messages back until it is ready. @throws {JournalMissingError} `JOURNAL_MISSING` */
export function openRecord(cell: Cell, isChart: boolean): DurableRecord {
  const { durability } = cell.kernel
  const { durable } = cell.definition
  if (durability === undefined || durable === undefined) throw new JournalMissingError(cell.path)
  for (let above: Cell | undefined = cell; above !== undefined; above = above.parent) {
    if (above.givenName === undefined)
      throw new DefinitionInvalidError(
        cell.path,
        `is durable, and ${above.path} has a number for a name: another run would not find it again; give it a name`,
      )
  }
  const record = new DurableRecord(cell, durable, durability, isChart)
  cell.parts.record = record
  cell.block()
  return record
}

/** Recovers, runs `begin` and then lets the messages in. Where this fails, the actor does, whatever its decider says. */
export async function bringBack(
  cell: Cell,
  record: DurableRecord,
  rebuild: Rebuild,
  begin: () => Promise<void> | undefined,
): Promise<void> {
  try {
    await record.port.recover(cell, () => new Recovery(cell, record, rebuild).run())
    const begun = cell.status === 'running' ? begin() : undefined
    if (begun !== undefined) await begun
    letIn(cell, record)
  } catch (error) {
    record.fail(asError(error))
    if (cell.status === 'stopped') return
    cell.busy = undefined
    cell.crash(error)
    cell.goOn()
  }
}

/** The actor is back: it takes up its messages and timers. */
function letIn(cell: Cell, record: DurableRecord): void {
  if (cell.status === 'stopped' || !record.isReady) return
  // What came meanwhile, after whatever its first step has written.
  for (const item of cell.queue?.waiting ?? []) if (item instanceof Envelope) record.accept(item)
  if (cell.definition.handlesSignal('actor.started')) cell.lane.forceFirst({ type: 'actor.started' })
  settleOrphans(cell, record)
  record.alarm.resume()
  record.port.activated(record)
  cell.unblock()
}

/** The end of an incarnation: a clean one leaves a snapshot. */
export function closeRecord(cell: Cell, isClean: boolean, state: () => unknown): void {
  const { record } = cell
  if (record === undefined) return
  record.alarm.stop()
  record.close(isClean ? state : undefined)
  record.port.ended(record)
}

function rebuildOf(cell: Cell, logic: HandlerLogic): Rebuild {
  return {
    begin: () => {
      cell.hosted = logic.firstState(cell.record?.ledger.input)
    },
    restore: (state) => {
      cell.hosted = state
    },
    replay: (turn, message) => {
      const context = new MessageContext(cell, message, undefined)
      context.turn = turn
      const next = inContext(context, () => logic.react(context, cell.hosted))
      const apply = (settled: unknown): void => {
        if (turn.aside !== undefined) throw new Error(`${turn.aside}() of a message that was handled then`)
        cell.hosted = logic.nextState(cell.hosted, settled)
      }
      if (isPromise(next)) return next.then(apply)
      apply(next)
      return undefined
    },
    digested: () => cell.hosted,
  }
}

/** Runs the first part of a handler so that what it tells and asks is known as its own. */
function inContext<T>(context: MessageContext, run: () => T): T {
  ambient.context = context
  try {
    return run()
  } finally {
    ambient.context = undefined
  }
}

function takeTurn(
  logic: HandlerLogic,
  context: MessageContext,
  record: DurableRecord,
  turn: Turn,
): Promise<void> | undefined {
  const { cell } = context
  const finish = (next: unknown): void => {
    const before = cell.hosted
    const state = logic.nextState(before, next)
    const changed = state !== before
    const divergence = turn.script?.divergence
    if (divergence !== undefined) throw divergence
    if (turn.aside !== undefined) {
      if (changed || turn.hasDone) throw cannotDefer(context)
      cell.setAside(context, turn.aside)
      record.setAside(turn, context.envelope?.delivery)
      return
    }
    const kept = (): unknown => state
    if (!changed && typeof next === 'object') record.gaveBack(turn, { kept, digested: kept })
    record.handled(turn, { kept, digested: kept }, changed)
    if (changed) cell.publish(state)
  }
  const next = logic.react(context, cell.hosted)
  if (isPromise(next)) return settle(context, next, finish)
  finish(next)
  return undefined
}

async function settle(
  context: MessageContext,
  pending: Promise<unknown>,
  finish: (next: unknown) => void,
): Promise<void> {
  const next = await pending
  if (!context.fenced) finish(next)
  else if (next !== undefined) zombie(context.cell, 'state')
}

const cannotDefer = ({ path, message }: MessageContext): Error =>
  new NotReplayableError(
    path,
    message.type,
    'a message that is set aside',
    'change nothing and run no effect before stash() or postpone()',
  )

/** Signals are of an incarnation and in no journal: they may start what it needs, and change no state. */
function reactToSignal(logic: HandlerLogic, context: MessageContext): Promise<void> | undefined {
  const refuse = (next: unknown): void => {
    if (next === undefined) return
    throw new NotReplayableError(context.path, context.message.type, 'a new state', 'tell this actor a message instead')
  }
  const next = logic.react(context, context.cell.hosted)
  if (!isPromise(next)) {
    refuse(next)
    return undefined
  }
  return next.then(refuse)
}
