import type { PlantedBug } from '../bug.ts'

const alarm = 'src/actors/durable/timer-alarm.ts'
const ringsRight = ['I9', 'timersRingOnceInTime']

/** Timers over restarts, and who is woken for what. */
export const timerBugs: readonly PlantedBug[] = [
  {
    id: 'snapshot-forgets-timers',
    what: 'a snapshot leaves out the timers that are set',
    file: 'src/actors/durable/ledger.ts',
    find: 'timers: [...this.#timers],',
    replace: 'timers: [],',
    scenario: 'timers',
    breaks: ringsRight,
  },
  {
    id: 'timer-twice-after-restore',
    isQuick: true,
    what: 'a timer that rang is set again when its actor is brought back',
    file: 'src/actors/durable/recovery.ts',
    find: 'ledger.handled(body, atMs, turn.timers)',
    replace: 'ledger.handled({ ...body, timer: undefined }, atMs, turn.timers)',
    scenario: 'timers',
    breaks: ringsRight,
  },
  {
    id: 'timer-early',
    what: 'whoever looks for timers takes those along that are due within the same second',
    file: alarm,
    find: 'if (timer.dueMs <= nowMs) due.push([key, timer])',
    replace: 'if (timer.dueMs <= nowMs + 400) due.push([key, timer])',
    scenario: 'timers',
    breaks: ringsRight,
  },
  {
    id: 'timer-not-resumed',
    what: 'timers of an actor that comes back wait until one is set anew',
    file: 'src/actors/durable/host.ts',
    find: '  record.alarm.resume()\n',
    replace: '',
    scenario: 'timers',
    breaks: ringsRight,
  },
  {
    id: 'cancelled-timer-rings',
    what: 'a tick that is in the mailbox counts though its timer was cancelled or set anew',
    file: alarm,
    find: 'return this.#record.ledger.timers.get(key) === timer',
    replace: 'return true',
    scenario: 'timers',
    breaks: ringsRight,
  },
  {
    id: 'missed-ticks-forgotten',
    what: 'a timer that makes up for missed ticks does so for one of them only',
    file: 'src/actors/schedule.ts',
    find: "const fromMs = recurrence.missed === 'all' ? Math.min(dueMs, atMs) : atMs",
    replace: 'const fromMs = atMs',
    scenario: 'metronome',
    breaks: ['asManyBeatsAsPeriods'],
  },
]
