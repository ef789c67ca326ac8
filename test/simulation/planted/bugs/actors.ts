import type { PlantedBug } from '../bug.ts'

const watching = 'src/actors/watching.ts'
const succession = 'src/actors/succession.ts'
const lane = 'src/actors/lane.ts'
const watched = { scenario: 'watch', breaks: ['eachWatchIsAnsweredOnce'] } as const
const asked = { scenario: 'asks', breaks: ['eachAskEndsInTimeAndRightly'] } as const
const queued = { scenario: 'mailbox', breaks: ['I11', 'takenAsTheMailboxSays'] } as const
const fenced = { scenario: 'fencing', breaks: ['I5', 'nothingOfAnOldIncarnation'] } as const

/** One actor: who learns of its end, what it answers, what waits for it, and what is left of it afterwards. */
export const actorBugs: readonly PlantedBug[] = [
  {
    id: 'forget-unwatch',
    isQuick: true,
    what: 'who stops to watch an actor is told of its end all the same',
    file: watching,
    find: '    takeBack(one)\n    watching?.delete(one)',
    replace: '    watching?.delete(one)',
    ...watched,
  },
  {
    id: 'unwatch-leaves-queued',
    what: 'an end that is in the mailbox is told though the watch was taken back meanwhile',
    file: 'src/actors/handling.ts',
    find: 'return monitor.active',
    replace: 'return true',
    ...watched,
  },
  {
    id: 'watch-answers-twice',
    what: 'the watchers of an actor that its supervisor forgets are told of its end once more',
    file: succession,
    find: '  parts.monitors = undefined\n',
    replace: '',
    ...watched,
  },
  {
    id: 'watch-of-dead',
    what: 'who watches an actor that has ended already never learns of it',
    file: 'src/actors/watch.ts',
    find: '      made.fire(exits.noproc)\n',
    replace: '',
    ...watched,
  },
  {
    id: 'watch-wrong-reason',
    what: 'an actor that was killed because it stops too slowly is said to have stopped as it was asked to',
    file: succession,
    find: 'for (const monitor of monitors ?? []) monitor.fire(reason)',
    replace: "for (const monitor of monitors ?? []) monitor.fire(cell.aborted ? { kind: 'shutdown' } : reason)",
    ...watched,
  },
  {
    id: 'deadline-not-armed-again',
    what: 'after one ask has timed out, the next of the same duration has no timer',
    file: 'src/actors/deadlines.ts',
    find: 'if (line.first !== undefined) this.#arm(line, timeoutMs, line.first.deadlineMs - nowMs)\n      else if',
    replace: 'if',
    ...asked,
  },
  {
    id: 'deadline-grows',
    what: 'an ask inside of an ask gets its own time, not what is left of the outer one',
    file: 'src/actors/ask.ts',
    find: 'return Math.min(timeoutMs, leftMs)',
    replace: 'return timeoutMs',
    ...asked,
  },
  {
    id: 'cycle-of-two',
    what: 'an ask that leads back to its asker over another actor is not found to be a cycle',
    file: 'src/actors/ask.ts',
    find: "if (link.cell === target && link.waits === 'blocks')",
    replace: "if (link === asker && link.cell === target && link.waits === 'blocks')",
    ...asked,
  },
  {
    id: 'target-down-unnoticed',
    what: 'the question at which an actor is killed is left to its deadline when the mailbox is kept',
    file: 'src/actors/ending.ts',
    find: '  for (const ask of parts.openAsks ?? []) if (ask.accepted) ask.targetEnded(reason)\n',
    replace: '',
    ...asked,
  },
  {
    id: 'expired-ask-handled',
    what: 'a question whose asker has given up is handled all the same',
    file: 'src/actors/handling.ts',
    find: 'return !ask.settled',
    replace: 'return true',
    ...asked,
  },
  {
    id: 'drop-oldest-drops-newest',
    what: 'a full mailbox that should drop its oldest message drops the one that comes',
    file: lane,
    find: 'this.#queue.push(item)\n    return { dropped }',
    replace: 'this.#queue.unshift(dropped)\n    return { dropped: item }',
    ...queued,
  },
  {
    id: 'mailbox-off-by-one',
    what: 'a mailbox takes one message more than its capacity',
    file: lane,
    find: 'if (this.#queue.length < this.#limits.capacity) {',
    replace: 'if (this.#queue.length <= this.#limits.capacity) {',
    ...queued,
  },
  {
    id: 'stash-reversed',
    what: 'messages that were set aside come back in reverse',
    file: lane,
    find: 'for (const item of items.reverse()) this.#queue.unshift(item)',
    replace: 'for (const item of items) this.#queue.unshift(item)',
    ...queued,
  },
  {
    id: 'zombie-tells',
    isQuick: true,
    what: 'what the handler of a killed incarnation tells is delivered',
    file: 'src/actors/delivery.ts',
    find: "    zombie(sender.cell, 'tell')\n    return\n",
    replace: "    zombie(sender.cell, 'tell')\n",
    ...fenced,
  },
  {
    id: 'timers-outlive-incarnation',
    what: 'a tick that waits in a mailbox that is kept is taken by the next incarnation',
    file: 'src/actors/ending.ts',
    find: '  parts.timers?.clear()\n',
    replace: '',
    ...fenced,
  },
]
