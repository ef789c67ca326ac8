import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type ActorDefinition } from 'echelon'
import { createTestRuntime, VirtualClock, type TestRuntime } from 'echelon/testing'
import type { HandlerSnapshot } from '../../../src/actors/handler-logic.ts'
import { clockAfter, disk } from './disk.ts'

/* Money moves between durable actors by durable messages. Whatever crashes, none is lost and none is made. */

const protocol = {
  pay: message({ to: z.string(), amount: z.int() }),
  credit: message({ amount: z.int() }),
  balance: question({}, z.int()),
}
/** It names itself, so its type has to be written. */
const account: ActorDefinition<typeof protocol, undefined, HandlerSnapshot<{ balance: number }>> = defineActor({
  name: 'account',
  durable: { snapshotEvery: { entries: 4 }, passivateAfterMs: 100 },
  protocol,
  state: () => ({ balance: 100 }),
  on: {
    pay: async ({ state, message: { to, amount }, get }) => {
      if (amount > state.balance) return undefined
      await get(account, to).tell({ type: 'credit', amount }, { durable: true })
      return { balance: state.balance - amount }
    },
    credit: ({ state, message: { amount } }) => ({ balance: state.balance + amount }),
    balance: ({ state, reply }) => {
      reply(state.balance)
    },
  },
})

const names = ['a', 'b', 'c'] as const

/** What is paid when all goes well: orders of one payer are handled in order, and so is what it pays to one other. */
const paymentsArb = fc.array(
  fc.record({
    from: fc.constantFrom(...names),
    to: fc.constantFrom(...names),
    amount: fc.integer({ min: 1, max: 150 }),
  }),
  { minLength: 1, maxLength: 8 },
)

const balances = (t: TestRuntime): Promise<number[]> =>
  t.until(Promise.all(names.map((name) => t.runtime.get(account, name).ask({ type: 'balance' }))))

test('given payments between actors, when processes end at any commits, then the sum stays what it was, and each is made once', async () => {
  await fc.assert(
    fc.asyncProperty(
      paymentsArb.map((payments) => payments.filter(({ from, to }) => from !== to)),
      fc.array(fc.record({ commits: fc.nat({ max: 8 }), livesMs: fc.constantFrom(0, 500) }), { maxLength: 6 }),
      async (payments, lives) => {
        const world = disk()
        let clock = new VirtualClock()
        const live = async (livesMs: number): Promise<TestRuntime> => {
          const t = await createTestRuntime({ journal: world.journal, clock, definitions: [account] })
          // Whoever pays tells it again until it is acknowledged; only once, it counts.
          for (const [i, { from, ...payment }] of payments.entries())
            void t.runtime.get(account, from).tell({ type: 'pay', ...payment }, { durable: true, id: `payment-${i}` })
          await t.advance(livesMs)
          clock = clockAfter(t.clock)
          return t
        }
        for (const { commits, livesMs } of lives) {
          world.dieAfter(commits)
          await live(livesMs)
          world.dieAfter(0)
          world.revive()
        }
        const last = await live(1000)
        const sums = await balances(last)
        expect(sums.reduce((sum, balance) => sum + balance, 0)).toBe(300)
        for (const balance of sums) expect(balance).toBeGreaterThanOrEqual(0)
        await last.until(last.runtime.shutdown())
        // Those that could be paid whatever came first were paid.
        const least = (name: string): number =>
          100 - payments.reduce((sum, { from, amount }) => sum + (from === name ? amount : 0), 0)
        if (names.every((name) => least(name) >= 0)) {
          expect(sums).toEqual(
            names.map(
              (name) => least(name) + payments.reduce((sum, { to, amount }) => sum + (to === name ? amount : 0), 0),
            ),
          )
        }
      },
    ),
    { numRuns: 150 },
  )
})
