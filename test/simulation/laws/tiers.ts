import { child, defineActor, message, operational, strategic, tactical } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { World } from '../../../src/testing/simulation/world.ts'
import { defineLaw, onNode } from './law.ts'

interface Purchase {
  readonly n: number
  readonly usd: number
  readonly from: string
  readonly choice: string
  readonly by: string
}

const purchases = perWorld((): Purchase[] => [])

/** Buys things, alone or with leave. Several at once. */
export const clerk = defineActor({
  name: 'clerk',
  reentrant: true,
  protocol: { 'clerk.buy': message({ n: z.int(), usd: z.int() }) },
  on: {
    'clerk.buy': async ({ message: { n, usd }, escalate, path }) => {
      const { choice, by } = await escalate({
        action: 'buy',
        spendUsd: usd,
        options: ['yes', 'no'],
        defaultChoice: 'no',
        choice: 'yes',
        deadlineMs: 3000,
      })
      purchases.current.push({ n, usd, from: path, choice, by })
    },
  },
})

/** What each tier may spend, by its path. */
const budgets: Readonly<Record<string, number>> = { '/board': 90, '/board/office': 40, '/board/office/desk': 12 }
const intensity = { restarts: 1000, withinMs: 1000 }

export const board = strategic('board', {
  intensity,
  authority: { spendUsd: 90 },
  // Some it refuses, some it leaves to a person.
  decide: ({ request: { spendUsd = 0 } }) => (spendUsd % 5 === 0 ? undefined : spendUsd % 3 === 0 ? 'no' : 'yes'),
  children: [
    tactical('office', {
      intensity,
      authority: { spendUsd: 40 },
      decide: async ({ request: { spendUsd = 0 } }) => Promise.resolve(spendUsd % 2 === 0 ? 'yes' : undefined),
      children: [
        operational('desk', {
          intensity,
          authority: { spendUsd: 12 },
          children: [child(clerk, { id: 'clerk-a' }), child(clerk, { id: 'clerk-b' })],
        }),
      ],
    }),
  ],
})

/** The tier whose money a purchase is: that of whoever decided. A person has money of their own. */
const payerOf = ({ by }: Purchase): string => (by.includes('clerk') ? '/board/office/desk' : by)

/** I13, I14: nothing is bought beyond the authority of whoever said yes, nor beyond any budget above. */
function check(world: World): void {
  const { current } = purchases
  const bought = current.filter(({ choice, by }) => choice === 'yes' && by !== 'person')
  for (const [tier, budget] of Object.entries(budgets)) {
    const spent = bought.filter((one) => payerOf(one).startsWith(tier)).reduce((sum, { usd }) => sum + usd, 0)
    world.expect(spent <= budget, `${tier} has spent ${spent} of ${budget}`)
    if (spent > budget * 0.6) world.sometimes('most of a budget is spent')
  }
  for (const one of current) {
    const { n, usd, by, choice } = one
    if (by === 'default') {
      world.expect(choice === 'no', `purchase ${n} was made by default`)
      world.sometimes('nobody decided in time')
    } else if (by === 'person') world.sometimes('a person decided')
    else {
      const budget = budgets[payerOf(one)] ?? 0
      world.expect(choice === 'no' || usd <= budget, `${by} spent ${usd} of ${budget} for purchase ${n}`)
      world.sometimes(by.includes('clerk') ? 'an actor decided alone' : `${by} decided`)
    }
  }
}

const checking: Invariant = {
  kind: 'invariant',
  name: 'I13, I14 nothing is decided beyond an authority, and nothing spent beyond a budget',
  begin: (world) => {
    let checked = 0
    return {
      step: () => {
        if (purchases.current.length === checked) return
        checked = purchases.current.length
        check(world)
      },
      // What was spent is known as long as a process runs.
      died: () => {
        purchases.current.length = checked = 0
      },
    }
  },
}

/** Decisions that go up the tiers, while clerks and tiers end and are started again. */
export const tiersLaw = defineLaw({
  scenario: {
    name: 'tiers',
    nodes: { node: { root: board, journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const asked = new Map<number, { readonly process: number; readonly path: string }>()
      const killed = new Set<string>()
      const buy = async (): Promise<void> => {
        const path = `/board/office/desk/${world.pick(['clerk-a', 'clerk-b'], 'clerk')}`
        const usd = world.integer(1, 25, 'usd')
        await onNode(node, (runtime) => {
          const ref = runtime.ref(path, clerk)
          if (ref?.isRunning !== true) return
          const n = asked.size
          asked.set(n, { process: node.incarnation, path })
          ref.tell({ type: 'clerk.buy', n, usd })
        })
      }
      await world.repeat(16, {
        buy,
        'buy more': buy,
        decide: async () => {
          const choice = world.pick(['yes', 'no'], 'choice')
          await onNode(node, (runtime) => runtime.escalations[0]?.resolve(choice))
        },
        kill: async () => {
          const path = world.pick(['/board/office/desk/clerk-a', '/board/office/desk', '/board/office'], 'killed')
          await onNode(node, (runtime) => {
            killed.add(`${node.incarnation}`)
            runtime.ref(path)?.kill()
          })
        },
        wait: () => world.sleep(world.pick([0, 10, 4000], 'wait')),
      })
      world.calm()
      await world.sleep(60_000)
      for (const [n, { process }] of asked) {
        const times = purchases.current.filter((one) => one.n === n).length
        world.expect(times <= 1, `purchase ${n} was decided ${times} times`)
        // Nobody learns of the outcome for an actor that has ended.
        if (process === node.incarnation && !killed.has(`${process}`))
          world.expect(times === 1, `purchase ${n} was never decided`)
      }
    },
    always: [checking],
    sometimes: [
      'an actor decided alone',
      '/board/office decided',
      '/board decided',
      'a person decided',
      'nobody decided in time',
      'most of a budget is spent',
    ],
  },
  faults: faults.only({ crash: 0.01, stall: 0.15, clock: 0.1, pause: 0.02, swarm: true }),
})
