import type { AnyStateMachine } from 'xstate'
import { TargetDownError } from '../../core/errors.ts'
import { exits } from '../../core/exit.ts'
import type { Message } from '../../core/message.ts'
import type { Cell } from '../cell.ts'
import { deadLetter } from '../cell-events.ts'
import { Envelope } from '../envelope.ts'
import type { Host } from '../host.ts'
import { childrenOf, snapshotOf } from '../hosted.ts'
import { reportInterrupted } from '../restore.ts'
import { createHosted, rootHost, startHosted } from '../root-host.ts'
import { giveUpEffects } from './effect-logic.ts'
import { bringBack, closeRecord, openRecord } from './host.ts'
import { resendLetters } from './machine-letters.ts'
import { ChartRebuild } from './machine-rebuild.ts'
import { recordedMachine, Recorder, recorderOf } from './machine-recorder.ts'
import { ChildEnds } from './machine-state.ts'
import type { DurableRecord } from './record.ts'

/**
 * Runs a chart whose events are in a journal: messages, and what comes from within, such as delayed events and the ends
 * of what it invoked. It is brought back by its transitions alone, without their actions; then its delays are due when
 * they were due, and what it had invoked goes on if it is an effect, and has failed otherwise.
 *
 * 1. A live chart and one that was brought back have the same state, the same delays and the same children at work.
 * 2. An action runs once for each time that its turn is not on disk yet: never again after that.
 * 3. A chart that is done takes nothing more: the messages that its journal still has are given up, and its effects too.
 */
export function durableMachineHost(machine: AnyStateMachine): Host {
  const recorded = recordedMachine(machine)
  return {
    ...rootHost,
    start(cell) {
      const record = openRecord(cell, true)
      const rebuild = new ChartRebuild(record, recorded)
      void bringBack(cell, record, rebuild, () => begin(cell, record, recorded, rebuild))
    },
    end(cell, reason) {
      const isClean = reason.kind === 'normal' || reason.kind === 'shutdown'
      const recorder = recorderOf(cell)
      closeRecord(cell, isClean && recorder?.isUp === true, () => recorder?.state)
      rootHost.end(cell, reason)
    },
  }
}

/** Starts the root actor for what was brought back, or afresh. One that is done has first to send what it still has. */
function begin(
  cell: Cell,
  record: DurableRecord,
  machine: AnyStateMachine,
  rebuild: ChartRebuild,
): Promise<void> | undefined {
  const restored = record.isNew ? undefined : rebuild.resumable()
  const hosted = createHosted(cell, machine, record.ledger.input, restored?.snapshot)
  const children = childrenOf(snapshotOf(hosted.actor))
  const cutOff = restored?.interrupted ?? []
  const isCutOff = (child: object): boolean => cutOff.some(({ id }) => children[id] === child)
  const ends = restored === undefined ? new ChildEnds() : ChildEnds.restored(snapshotOf(hosted.actor), isCutOff)
  const recorder = new Recorder(cell, record, machine, hosted, ends)
  record.hasOwnWork = () => recorder.hasOwnWork
  if (restored === undefined) record.created(rebuild.beganAtMs)
  startHosted(cell, hosted)
  if (cutOff.length > 0) {
    cell.post(() => {
      reportInterrupted(hosted, cutOff, children)
    })
  }
  const sent = resendLetters(cell, record)
  if (snapshotOf(hosted.actor).status !== 'done') return undefined
  return sent.then(() => {
    if (cell.aborted) return
    giveUpMessages(cell, record)
    giveUpEffects(record)
    cell.stopSelf(exits.normal)
  })
}

/** It is over: durable messages that came too late will never be handled, and those that come now are not taken. */
function giveUpMessages(cell: Cell, record: DurableRecord): void {
  const down = (message: Message): TargetDownError => {
    const error = new TargetDownError(cell.path, message.type, exits.normal)
    deadLetter(cell, message, 'stopped', error)
    return error
  }
  for (const item of cell.queue?.waiting ?? []) {
    const { delivery, message } = item instanceof Envelope ? item : {}
    if (delivery?.kind === 'incoming' && message !== undefined) delivery.refuse(down(message))
  }
  cell.queue?.takeOut((item) => item instanceof Envelope && item.delivery !== undefined)
  for (const [seq, { message }] of [...record.ledger.pending])
    record.failed(record.open(message, { kind: 'received', seq }), down(message))
}
