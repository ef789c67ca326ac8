import type { PlantedBug } from '../bug.ts'

const effects = 'src/actors/durable/effects.ts'

/** What is done outside, and what leaves an actor: once, and not before what it follows from is on disk. */
export const effectBugs: readonly PlantedBug[] = [
  {
    id: 'effect-before-intent',
    what: 'an effect runs while its intent is still on its way to the disk',
    file: effects,
    find: 'if (!isMine) await record.onDisk()',
    replace: 'if (!isMine) void record.onDisk().catch(() => undefined)',
    scenario: 'payments',
    breaks: ['I3', 'paidOnce'],
  },
  {
    id: 'outcome-not-recorded',
    what: 'an outcome is remembered, and never written',
    file: 'src/actors/durable/record.ts',
    find: "this.#push('outcome', this.#nowMs, body)",
    replace: '',
    scenario: 'payments',
    breaks: ['I3', 'I9', 'paidOnce', 'run'],
  },
  {
    id: 'doubt-runs-again',
    isQuick: true,
    what: 'an effect of which nobody knows whether it ran is run again without asking',
    file: effects,
    find: 'before === undefined || idempotent ?',
    replace: 'before === undefined || idempotent || !isMine || this.#turn?.script !== undefined ?',
    scenario: 'payments',
    breaks: ['I3', 'paidOnce'],
  },
  {
    id: 'snapshot-forgets-outcomes',
    what: 'a snapshot leaves out what effects came to',
    file: 'src/actors/durable/ledger.ts',
    find: 'const outcomes = [...this.outcomes]',
    replace: 'const outcomes = []',
    scenario: 'payments',
    breaks: ['I3', 'paidOnce'],
  },
  {
    id: 'key-of-the-process',
    what: 'the idempotency key of an effect changes with the process',
    file: 'src/actors/durable/attempts.ts',
    find: 'return idempotencyKeyOf(this.#cell.path, this.#key)',
    replace: 'return idempotencyKeyOf(`${this.#cell.kernel.id} ${this.#cell.path}`, this.#key)',
    scenario: 'retries',
    breaks: ['I3', 'paidOnce'],
  },
  {
    id: 'answer-before-disk',
    what: 'an answer leaves as soon as it is there, not when what it follows from is on disk',
    file: 'src/actors/durable/turn.ts',
    find: 'if (this.#afterwards === undefined) (this.outputs ??= []).push(output)',
    replace: 'if (this.#afterwards === undefined) output.release()',
    scenario: 'register',
    breaks: ['I10', 'noAnswerIsTakenBack'],
  },
  {
    id: 'resend-with-fresh-id',
    what: 'a durable message that is sent again by a second try of its handler has another id',
    file: 'src/actors/delivery.ts',
    find: 'const id = givenId ?? turn.messageId(turn.of)',
    replace: 'const id = givenId ?? freshSeed()',
    scenario: 'relay',
    breaks: ['run'],
  },
  {
    id: 'race-order-lost',
    what: 'effects that ran side by side come back in the order in which they are asked for, not in that of the journal',
    file: 'src/actors/durable/script.ts',
    find: 'ended.resolve = resolve\n      this.#pump()',
    replace:
      'ended.resolve = resolve\n      this.#next += 1\n      this.#isPumping = true\n      resolve(ended.outcome)',
    scenario: 'races',
    breaks: ['I9', 'run'],
  },
]
