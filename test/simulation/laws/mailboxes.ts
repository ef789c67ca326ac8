import { defineActor, message, type OverflowPolicy } from 'echelon'
import * as z from 'zod'
import { perWorld } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { defineLaw, onNode } from './law.ts'

/** What became of each message, by its number. */
class Fates {
  readonly handled: number[] = []
  readonly dead = new Map<number, string>()
  /** Offers that were taken, and those that were refused. */
  readonly taken: number[] = []
  readonly refused: number[] = []
  /** What each sender sent to each receiver, in its order. */
  readonly sent = new Map<string, number[]>()
}
const fates = perWorld(() => new Fates())

const policies: readonly OverflowPolicy[] = ['reject', 'drop-newest', 'drop-oldest', 'park']

/** One receiver for each policy: its mailbox is small, and it is slow. It sets aside what comes while it is closed. */
const receiverOf = (overflow: OverflowPolicy) =>
  defineActor({
    name: `receiver-${overflow}`,
    mailbox: { capacity: 3, overflow, parkedCapacity: 2, stashCapacity: 3 },
    protocol: {
      'receiver.take': message({ n: z.int(), from: z.string() }),
      'receiver.close': message(),
      'receiver.open': message(),
    },
    state: () => ({ isOpen: true }),
    on: {
      'receiver.take': async ({ state, message: { n }, stash, clock }) => {
        if (!state.isOpen) {
          stash()
          return
        }
        if (n % 3 === 0)
          await new Promise<void>((resolve) => {
            clock.setTimeout(resolve, 5)
          })
      },
      'receiver.close': () => ({ isOpen: false }),
      'receiver.open': ({ unstashAll }) => {
        unstashAll()
        return { isOpen: true }
      },
    },
  })

export const receivers = policies.map(receiverOf)

/** Sends so many messages in a row. */
export const sender = defineActor({
  name: 'sender',
  protocol: { 'sender.burst': message({ to: z.int(), numbers: z.array(z.int()) }) },
  on: {
    'sender.burst': ({ message: { to, numbers }, lookup, path }) => {
      const receiver = receivers[to]
      if (receiver === undefined) return
      const pair = `${path} to ${receiver.name}`
      for (const n of numbers) {
        fates.current.sent.set(pair, [...(fates.current.sent.get(pair) ?? []), n])
        lookup(receiver).tell({ type: 'receiver.take', n, from: path })
      }
    },
  },
})

const numberOf = (given: unknown): number =>
  typeof given === 'object' && given !== null && 'n' in given && typeof given.n === 'number' ? given.n : -1

const noting: Invariant = {
  kind: 'invariant',
  name: 'D2 a message is handled once or becomes one dead letter',
  begin: (world) => ({
    event: (event) => {
      if (event.type === 'handled' && event.messageType === 'receiver.take')
        fates.current.handled.push(numberOf(event.message))
      if (event.type !== 'dead-letter') return
      const n = numberOf(event.message)
      if (n < 0) return
      const { dead } = fates.current
      if (dead.has(n)) world.fail(`message ${n} is a dead letter twice`)
      dead.set(n, event.reason)
      world.sometimes(`a dead letter: ${event.reason}`)
    },
    died: () => {
      const { handled, dead, taken, refused, sent } = fates.current
      handled.length = taken.length = refused.length = 0
      dead.clear()
      sent.clear()
    },
    quiet: () => {
      const { handled, dead, taken, refused, sent } = fates.current
      if (new Set(handled).size !== handled.length) return `handled twice: ${handled.join()}`
      for (const n of handled) if (dead.has(n)) return `${n} was handled and is a dead letter`
      for (const n of taken) if (!handled.includes(n) && !dead.has(n)) return `${n} was taken, and nothing became of it`
      for (const n of refused) if (handled.includes(n)) return `${n} was refused, and handled`
      for (const [path, numbers] of sent) {
        for (const n of numbers) if (!handled.includes(n) && !dead.has(n)) return `nothing became of ${n}`
        const inOrder = handled.filter((n) => numbers.includes(n))
        if (inOrder.some((n, at) => n < (inOrder[at - 1] ?? n))) return `of ${path} it handled ${inOrder.join()}`
      }
      if (taken.length > 0) world.sometimes('an offer was taken')
      if (refused.length > 0) world.sometimes('an offer was refused')
      return undefined
    },
  }),
}

/** D2, D3, M1, M2, M4, M6: under each policy every message is handled or a dead letter, and the order of each sender is kept. */
export const mailboxesLaw = defineLaw({
  scenario: {
    name: 'mailboxes',
    nodes: {
      node: {
        journal: false,
        setup: (runtime) => {
          const intensity = { restarts: 100, withinMs: 1000 }
          for (const receiver of receivers) runtime.spawn(receiver, { name: receiver.name, intensity })
          for (const name of ['sender-a', 'sender-b']) runtime.spawn(sender, { name })
        },
      },
    },
    run: async (world) => {
      const node = world.node('node')
      let last = 0
      const next = (): number => (last += 1)
      await world.repeat(12, {
        burst: async () => {
          const to = world.choose(policies.length, 'to')
          const name = world.pick(['sender-a', 'sender-b'], 'sender')
          const numbers = Array.from({ length: world.integer(1, 6, 'size') }, next)
          await onNode(node, (runtime) =>
            runtime.ref(`/user/${name}`, sender)?.tell({ type: 'sender.burst', to, numbers }),
          )
        },
        offer: async () => {
          const receiver = receivers[world.choose(policies.length, 'offered')] ?? receivers[0]
          const count = world.integer(1, 6, 'offers')
          if (receiver === undefined) return
          await onNode(node, (runtime) => {
            const ref = runtime.ref(`/user/${receiver.name}`, receiver)
            const { current } = fates
            for (let made = 0; made < count; made += 1) {
              const n = next()
              void ref?.offer({ type: 'receiver.take', n, from: 'outside' }).then(
                () => current.taken.push(n),
                () => current.refused.push(n),
              )
            }
          })
        },
        close: async () => {
          const receiver = world.pick(receivers, 'closed')
          const opensAfterMs = world.pick([0, 10, 1000], 'open')
          await onNode(node, (runtime) =>
            runtime.ref(`/user/${receiver.name}`, receiver)?.tell({ type: 'receiver.close' }),
          )
          await world.sleep(opensAfterMs)
          await onNode(node, (runtime) =>
            runtime.ref(`/user/${receiver.name}`, receiver)?.tell({ type: 'receiver.open' }),
          )
        },
        kill: async () => {
          const receiver = world.pick(receivers, 'killed')
          // At work, or whatever it is at.
          if (world.choose(2, 'at work') === 1) {
            const n = next()
            await onNode(node, (runtime) =>
              runtime.ref(`/user/${receiver.name}`, receiver)?.tell({ type: 'receiver.take', n, from: 'outside' }),
            )
            await world.sleep(2)
          }
          await onNode(node, (runtime) => runtime.ref(`/user/${receiver.name}`)?.kill())
        },
        wait: () => world.sleep(world.pick([1, 6, 100], 'wait')),
      })
      world.calm()
      // As long as the longest pause, and until a process that died is back.
      await world.sleep(60_000)
      for (const receiver of receivers)
        await onNode(node, (runtime) =>
          runtime.ref(`/user/${receiver.name}`, receiver)?.tell({ type: 'receiver.open' }),
        )
    },
    always: [noting],
    sometimes: [
      'a dead letter: mailbox-full',
      'a dead letter: dropped-newest',
      'a dead letter: dropped-oldest',
      'a dead letter: stopped',
      'a dead letter: crashed',
      'an offer was taken',
      'an offer was refused',
    ],
  },
  faults: faults.only({ crash: 0.01, stall: 0.2, pause: 0.02, swarm: true }),
})
