import type { PlantedBug } from '../bug.ts'

const record = 'src/actors/durable/record.ts'
const ledger = 'src/actors/durable/ledger.ts'
const delivery = 'src/actors/delivery.ts'
const recovery = 'src/actors/durable/recovery.ts'

const isKept = 'I2 no acknowledged message is lost, and none is handled twice'

/** What is kept of messages: when they are acknowledged, and what a restart knows of them. */
export const journalBugs: readonly PlantedBug[] = [
  {
    id: 'ack-early',
    what: 'a duplicate is acknowledged though the first one is still on its way to the disk',
    file: record,
    find: 'else if (this.#underway === 0) output.release()',
    replace: 'else if (this.#underway <= 1) output.release()',
    scenario: 'inbox',
    breaks: [isKept],
  },
  {
    id: 'skip-fsync',
    what: 'what was handed to the disk counts as written',
    file: 'src/runtime/durable/shared-journal.ts',
    find: 'return this.#journal.append(appends).catch((error: unknown) => {',
    replace:
      'this.#journal.append(appends).catch(() => undefined)\n    return Promise.resolve().catch((error: unknown) => {',
    scenario: 'inbox',
    breaks: [isKept],
  },
  {
    id: 'ack-refused',
    isQuick: true,
    what: 'a message is acknowledged though the disk refused it',
    file: record,
    find: 'for (const output of outputs) output.refuse(error)',
    replace: 'for (const output of outputs) output.release()',
    scenario: 'inbox',
    breaks: [isKept],
  },
  {
    id: 'ack-on-full-mailbox',
    what: 'a durable message for a full mailbox is dropped and acknowledged',
    file: delivery,
    find: 'if (cell.backlog >= capacity) throw new MailboxFullError(cell.path, capacity, message)',
    replace: 'if (cell.backlog >= capacity) return void resolve()',
    scenario: 'inbox',
    breaks: [isKept],
  },
  {
    id: 'drop-dedup',
    what: 'a durable message that comes again is taken again',
    file: delivery,
    find: 'if (record?.isReady === true && record.ledger.seen.has(id)) {',
    replace: 'if (record?.isReady === true && record.ledger.pending.size > 0 && record.ledger.seen.has(id)) {',
    scenario: 'inbox',
    breaks: [isKept, 'eachOnceAndInOrder'],
  },
  {
    id: 'drop-dedup-while-recovering',
    what: 'a durable message that comes again while its actor is brought back is taken again',
    file: record,
    find: 'if (this.ledger.seen.has(delivery.id)) this.release(delivery)\n    else',
    replace: '',
    scenario: 'inbox',
    breaks: [isKept, 'eachOnceAndInOrder'],
  },
  {
    id: 'snapshot-forgets-pending',
    what: 'a snapshot leaves out the messages that are not handled yet',
    file: ledger,
    find: 'pending: [...this.pending],',
    replace: 'pending: [],',
    scenario: 'inbox',
    breaks: [isKept, 'eachOnceAndInOrder', 'run'],
  },
  {
    id: 'snapshot-forgets-seen',
    what: 'a snapshot leaves out the ids of messages that came already',
    file: ledger,
    find: 'seen: Array.from(this.seen, ([id]) => id),',
    replace: 'seen: [],',
    scenario: 'inbox',
    breaks: [isKept, 'eachOnceAndInOrder'],
  },
  {
    id: 'snapshot-behind',
    what: 'a snapshot has the state before the message, and covers the entry after it',
    file: 'src/actors/durable/host.ts',
    find: 'record.handled(turn, { kept, digested: kept }, changed)',
    replace: 'record.handled(turn, { kept: () => before, digested: kept }, changed)',
    scenario: 'inbox',
    breaks: ['eachOnceAndInOrder', 'run'],
  },
  {
    id: 'recovery-reversed',
    what: 'messages that were not handled come back in the wrong order',
    file: recovery,
    find: 'of pending.reverse()',
    replace: 'of pending',
    scenario: 'inbox',
    breaks: ['handled in the order of the journal', 'eachOnceAndInOrder'],
  },
  {
    id: 'lost-work-not-woken',
    what: 'an actor whose journal was full when it wrote that it is done counts as done',
    file: 'src/runtime/durable/waker.ts',
    find: 'const hasWork = isLost || ledger.wakeAtMs(0) !== null',
    replace: 'const hasWork = ledger.wakeAtMs(0) !== null',
    scenario: 'retries',
    breaks: [isKept],
  },
  {
    id: 'goes-on-after-lost-write',
    what: 'an actor whose write failed goes on with what the disk does not have',
    file: record,
    find: '    else this.cell.loseJournal(error)\n',
    replace: '',
    scenario: 'register',
    breaks: ['run'],
  },
]
