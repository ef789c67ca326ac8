import { FencedError, MailboxFullError, MessageUnknownError, TargetDownError } from '../core/errors.ts'
import { eventChannels, orderNotes } from '../core/events.ts'
import { exits } from '../core/exit.ts'
import type { ActorPath } from '../core/ids.ts'
import type { Message } from '../core/message.ts'
import { freshSeed } from '../core/random.ts'
import { notReplayable } from './ask.ts'
import { currentContext, outside } from './ambient.ts'
import type { Cell } from './cell.ts'
import { deadLetter, noteSent, zombie } from './cell-events.ts'
import type { MessageContext } from './context.ts'
import { NotDurableError, NotReplayableError, waitForAll } from './durable/errors.ts'
import { letterLost, sendLetter } from './durable/machine-letters.ts'
import { encode } from './durable/values.ts'
import { Envelope } from './envelope.ts'
import { owe, release } from './open-asks.ts'
import { entryOf, isAccepted, parseMessage } from './protocol.ts'

// The ways of a message into a mailbox; `ask` has a file of its own.

/** Puts a message into the mailbox. Never throws: what cannot be delivered becomes a dead letter. */
export function tell(cell: Cell, given: Message): void {
  const sender = currentContext()
  if (sender?.fenced === true) {
    zombie(sender.cell, 'tell')
    return
  }
  if (orderNotes.hasSubscribers && sender !== undefined) noteSent(sender, cell, given)
  // Most tells wait for no disk.
  if (sender?.cell.record === undefined) {
    deliver(cell, given, sender?.cell)
    return
  }
  sender.letOut({
    release: () => {
      deliver(cell, given, sender.cell)
    },
    refuse: () => undefined,
  })
}

function deliver(cell: Cell, given: Message, from: Cell | undefined): void {
  const message = checked(cell, given)
  if (message === undefined) return
  // A path is put together each time that it is asked for, which costs more than all of this.
  const traced = from !== undefined && eventChannels.handled.hasSubscribers
  if (cell.enqueue(traced ? new Envelope(message, undefined, undefined, undefined, from.path) : message)) return
  const { overflow, capacity } = cell.definition.mailbox
  const reason = overflow === 'drop-newest' ? 'dropped-newest' : 'mailbox-full'
  deadLetter(cell, message, reason, new MailboxFullError(cell.path, capacity, message))
}

/** The message as the protocol of its receiver has it. @throws {MessageUnknownError} `MESSAGE_UNKNOWN`, {MessageInvalidError} `MESSAGE_INVALID`. */
export function parse(cell: Cell, given: Message): Message {
  const to = (): string => cell.path
  return parseMessage(entryOf(cell.definition.table, given, to), given, to)
}

function checked(cell: Cell, given: Message): Message | undefined {
  const isObject = typeof given === 'object' && (given as Message | null) !== null
  const entry = isObject ? cell.definition.table.get(given.type) : undefined
  if (isAccepted(entry?.accepts, given)) return given
  try {
    return parse(cell, given)
  } catch (error) {
    deadLetter(cell, given, error instanceof MessageUnknownError ? 'unknown-message' : 'invalid-message', error)
    return undefined
  }
}

/** As `tell`, and resolves when the mailbox took the message. Waits for room under `park`. Rejects as `Ref.offer` says. */
export function offer(cell: Cell, given: Message, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const sender = currentContext()
    if (sender?.fenced === true) {
      zombie(sender.cell, 'offer')
      throw new FencedError(sender.cell.path, 'offer')
    }
    if (sender?.turn !== undefined) throw notReplayable(sender, 'offer')
    const message = parse(cell, given)
    if (!cell.accepting) throw new TargetDownError(cell.path, message.type, cell.exit ?? exits.noproc)
    signal?.throwIfAborted()
    if (cell.enqueue(message)) {
      resolve()
      return
    }
    const { lane } = cell
    const full = lane.full(cell.path, message)
    if (cell.definition.mailbox.overflow !== 'park') throw full
    const giveUp = (): void => {
      if (lane.unpark(parked)) reject(signal?.reason)
    }
    const parked = {
      item: message,
      resolve: () => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      },
      reject: (error: Error) => {
        signal?.removeEventListener('abort', giveUp)
        reject(error)
      },
    }
    if (!lane.park(parked)) throw full
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}

/** As `tell`, and resolves once the message is on disk. Rejects as `Ref.tell` says. */
export function tellDurable(cell: Cell, given: Message, givenId: string | undefined): Promise<void> {
  return durably(cell.path, given, givenId, (id, from) => {
    const message = parse(cell, given)
    if (cell.definition.durable === undefined) throw new NotDurableError(cell.path, 'keep a message')
    return keep(cell, message, id, from)
  })
}

type Send = (id: string, from: ActorPath | undefined) => Promise<void>

/**
 * Sends a durable message, with the id that the sender's code has for it. In the turn of a durable actor its own message
 * is on disk before, so that a second try sends the same again; in a replay nothing is sent.
 */
export function durably(to: ActorPath, message: Message, givenId: string | undefined, send: Send): Promise<void> {
  const sender = currentContext()
  const isAction = sender?.turn?.isChart === true && !sender.turn.isOver
  const sent = sendDurably(sender, to, message, givenId, send)
  // Actions wait for nothing, so nobody may be looking. What was not written goes with its transition, which says so.
  if (isAction)
    sent.catch((error: unknown) => {
      if (!sender.cell.aborted) letterLost(sender.cell, to, error)
    })
  return sent
}

async function sendDurably(
  sender: MessageContext | undefined,
  to: ActorPath,
  message: Message,
  givenId: string | undefined,
  send: Send,
): Promise<void> {
  if (sender?.fenced === true) {
    zombie(sender.cell, 'tell')
    throw new FencedError(sender.cell.path, 'tell')
  }
  const { turn, cell } = sender ?? {}
  if (sender === undefined || cell?.record === undefined) return send(givenId ?? freshSeed(), cell?.path)
  const { record, path } = cell
  // What a chart has invoked goes on after its transition.
  if (turn === undefined || (turn.isChart && turn.isOver)) {
    await record.onDisk()
    return outside(() => send(givenId ?? freshSeed(), path))
  }
  if (turn.isReplay) return undefined
  if (turn.isOver)
    throw new NotReplayableError(path, turn.received.message.type, 'a durable tell after the end', waitForAll)
  if (turn.isChart) {
    // Its transitions wait for nothing: it is noted with this one, and sent when that is on disk.
    const letter = { id: givenId ?? freshSeed(), to, message }
    encode(letter, 'message')
    const key = turn.post(letter)
    await new Promise<void>((release, refuse) => {
      turn.hold({ release, refuse })
    })
    void sendLetter(cell, key, to, () => send(letter.id, path))
    return undefined
  }
  turn.of ??= record.received(turn.received)
  const id = givenId ?? turn.messageId(turn.of)
  await record.onDisk()
  return outside(() => send(id, path))
}

function keep(cell: Cell, message: Message, id: string, from: ActorPath | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (cell.status === 'stopped' || cell.status === 'stopping')
      throw new TargetDownError(cell.path, message.type, cell.exit ?? exits.noproc)
    const { record } = cell
    if (record?.isReady === true && record.ledger.seen.has(id)) {
      record.release({ release: resolve, refuse: reject })
      return
    }
    const { capacity } = cell.definition.mailbox
    if (cell.backlog >= capacity) throw new MailboxFullError(cell.path, capacity, message)
    // Until the actor has been brought back nobody knows whether the message is new: it waits in the mailbox.
    if (record?.isReady === false) record.textOf('received', { id, message })
    const delivery =
      record?.isReady === true
        ? ({ kind: 'received', seq: record.received({ id, message }) } as const)
        : ({ kind: 'incoming', id, release: resolve, refuse: reject } as const)
    cell.force(new Envelope(message, undefined, undefined, undefined, from, delivery))
    if (delivery.kind === 'received') record?.release({ release: resolve, refuse: reject })
  })
}

/** Hands the current message on to another actor of this node, with its question if it is one. */
export function handOn({ message, envelope }: MessageContext, to: Cell): void {
  const asked = envelope?.ask
  if (asked !== undefined) {
    release(asked)
    asked.accepted = false
    owe(to, asked)
  }
  if (to.enqueue(envelope ?? message)) return
  const error = new MailboxFullError(to.path, to.definition.mailbox.capacity, message)
  asked?.fail(error)
  deadLetter(to, message, 'mailbox-full', error)
}
