import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { createTestRuntime, VirtualClock } from 'echelon/testing'
import { memoryJournal } from '../../../src/journal/memory.ts'

const receiver = defineActor({
  name: 'receiver',
  durable: true,
  protocol: { 'receiver.take': message({ word: z.string() }), 'receiver.words': question({}, z.array(z.string())) },
  state: () => ({ words: [] as readonly string[] }),
  on: {
    'receiver.take': ({ state, message }) => ({ words: [...state.words, message.word] }),
    'receiver.words': ({ state, reply }) => {
      reply([...state.words])
    },
  },
})

const sender = defineActor({
  name: 'sender',
  durable: true,
  protocol: { 'sender.pass': message({ word: z.string() }) },
  state: () => ({ passed: 0 }),
  on: {
    'sender.pass': async ({ state, message, get }) => {
      const to = get(receiver, 'b')
      await to.tell({ type: 'receiver.take', word: `${message.word}-1` }, { durable: true })
      await to.tell({ type: 'receiver.take', word: `${message.word}-2` }, { durable: true })
      return { passed: state.passed + 1 }
    },
  },
})

/** A journal whose process is gone after so many commits. */
function mortalJournal() {
  let left = Infinity
  const gone = new Promise<void>(() => undefined)
  const journal = memoryJournal({
    takeOver: true,
    beforeCommit: () => {
      left -= 1
      return left < 0 ? gone : undefined
    },
  })
  return {
    journal,
    dieAfter: (commits: number) => {
      left = commits
    },
    revive: () => {
      left = Infinity
    },
    isDead: () => left < 0,
  }
}

const words = (...of: string[]): string[] => of.flatMap((word) => [`${word}-1`, `${word}-2`])

test.each(['plain', 'durable'] as const)(
  'given %s messages passed on durably, when the process ends at any commit, then each arrives once or its sender knows nothing of it',
  async (how) => {
    for (let commits = 0; ; commits += 1) {
      const { journal, dieAfter, revive, isDead } = mortalJournal()
      const clock = new VirtualClock()
      dieAfter(commits)
      const first = await createTestRuntime({ journal, clock })
      const ref = first.runtime.get(sender, 'a')
      const acknowledged: string[] = []
      for (const word of ['one', 'two']) {
        if (how === 'plain') ref.tell({ type: 'sender.pass', word })
        else {
          void ref.tell({ type: 'sender.pass', word }, { durable: true, id: word }).then(() => acknowledged.push(word))
        }
      }
      await first.settle()
      const wasWhole = !isDead()
      revive()
      await using next = await createTestRuntime({ journal, clock, definitions: [sender, receiver] })
      await next.settle()
      // What came to nothing is sent anew: nobody mistakes it for what was before.
      if (how === 'plain') next.runtime.get(sender, 'a').tell({ type: 'sender.pass', word: 'three' })
      await next.settle()
      const arrived = await next.until(next.runtime.get(receiver, 'b').ask({ type: 'receiver.words' }))
      expect(new Set(arrived).size).toBe(arrived.length)
      const expected = how === 'plain' ? ['three'] : acknowledged
      expect(arrived).toEqual(expect.arrayContaining(words(...expected)))
      if (wasWhole) break
    }
  },
)
