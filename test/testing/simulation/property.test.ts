import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  actorProperty,
  advance,
  crash,
  faults,
  heal,
  messagesOf,
  partition,
  readCase,
  replayProperty,
  send,
  type ActorPropertyOptions,
} from 'echelon/testing'
import { counter } from './actors.ts'

interface Model {
  total: number
}

const adds = messagesOf(counter, { only: ['counter.add'] })
const nodes = { shop: [counter], other: { journal: false } } as const
const commands = [
  send(counter, 'a', adds, (model: Model, message) => {
    model.total += message.by
  }),
  crash('shop'),
  advance(fc.integer({ min: 0, max: 5000 })),
  partition('shop', 'other'),
  heal(),
]
const model = (): Model => ({ total: 0 })

test('given random commands and faults, then the sum is what the model says', async () => {
  await fc.assert(
    actorProperty<Model>(
      { name: 'sums', nodes },
      {
        commands,
        model,
        end: async (world, { total }) => {
          const sum = await world.retrying(() => world.get(counter, 'a').ask({ type: 'counter.total' }))
          world.expect(sum === total, `${sum} is not ${total}`)
        },
      },
    ),
    { numRuns: 150 },
  )
})

/** What fast-check says of a property that does not hold. */
const foundIn = (run: Promise<void>): Promise<string> =>
  run.then(
    () => 'nothing',
    (error: unknown) => String(error),
  )

test('given a property that breaks with two messages and a crash, then it is shrunk to them, and the seed repeats it', async () => {
  let messages = 0
  const property = () =>
    actorProperty<{ sent: number; crashed: boolean }>(
      { name: 'breaks', nodes },
      {
        commands: [
          {
            name: 'send',
            argument: fc.integer({ min: 0, max: 100 }),
            run: (_world, _n: number, state) => {
              state.sent += 1
            },
          },
          {
            name: 'crash',
            check: (state) => state.sent >= 2,
            run: (world, _none: undefined, state) => {
              world.node('shop').crash('a command')
              state.crashed = true
            },
          },
          { name: 'wait', run: (world) => world.sleep(100) },
        ],
        model: () => ({ sent: 0, crashed: false }),
        faults: faults.standard(),
        end: (world, { crashed }) => {
          messages += 1
          world.expect(!crashed, 'it crashed after two')
        },
      },
    )
  const parameters = { seed: 42, numRuns: 200 }
  const found = await foundIn(fc.assert(property(), parameters))

  expect(messages).toBeGreaterThan(1)
  expect(found).toContain('Counterexample: [[send 0, send 0, crash] in world')
  expect(found).not.toContain('deviating')
  expect(await foundIn(fc.assert(property(), parameters))).toBe(found)
})

test('given a property that breaks by one fault, then the faults are shrunk to one', async () => {
  const found = await foundIn(
    fc.assert(
      actorProperty<Model>(
        { name: 'one fault', nodes },
        {
          commands: [send(counter, 'a', adds)],
          faults: faults.only({ crash: 0.05, swarm: false }),
          end: (world) => {
            world.expect(world.node('shop').incarnation < 2, 'it was restarted')
          },
        },
      ),
      { seed: 1, numRuns: 200 },
    ),
  )

  expect(found).toMatch(/deviating at crash shop#\d+=1\]/)
})

test('given no property that is broken, then each run is another world', async () => {
  const seeds = new Set<number>()
  await fc.assert(
    actorProperty(
      { name: 'worlds', nodes: {}, run: (world) => void seeds.add(world.random.int(2 ** 31)) },
      { commands: [advance(fc.constant(1))] },
    ),
    { numRuns: 20 },
  )

  expect(seeds.size).toBeGreaterThan(15)
})

test('given a property with a folder, then its smallest failure is written last, and replays', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-property-'))
  const scenario = { name: 'written', nodes }
  const options: ActorPropertyOptions<Model> = {
    commands,
    model,
    folder,
    end: (_world, { total }) => {
      if (total >= 7) throw new Error(`${total} is seven or more`)
    },
  }
  await foundIn(fc.assert(actorProperty(scenario, options), { seed: 3, numRuns: 200 }))
  const found = readCase(path.join(folder, readdirSync(folder)[0] ?? ''))
  const replayed = await replayProperty(scenario, options, found)

  expect(found.message).toBe('7 is seven or more')
  expect(found.commands).toEqual([{ name: 'tell counter a', argument: { type: 'counter.add', by: 7 } }])
  expect([replayed.isSame, replayed.isExact]).toEqual([true, true])
  expect(() => replayProperty(scenario, { ...options, commands: [] }, found)).toThrow(/no command 'tell counter a'/)
})

test('given arguments that JSON has no word for, when a failure is written, then it replays with them', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-property-'))
  const seen: unknown[] = []
  const scenario = { name: 'odd arguments', nodes: {} }
  const options: ActorPropertyOptions<undefined> = {
    folder,
    commands: [
      {
        name: 'take',
        argument: fc.record({
          big: fc.constant(7n),
          at: fc.constant(new Date(5)),
          map: fc.constant(new Map([['a', 1]])),
        }),
        run: (_world, argument) => {
          seen.push(argument)
          throw new Error('taken')
        },
      },
      { name: 'nothing', run: () => undefined },
    ],
  }
  await foundIn(fc.assert(actorProperty(scenario, options), { seed: 1, numRuns: 50 }))
  const found = readCase(path.join(folder, readdirSync(folder)[0] ?? ''))
  seen.length = 0
  const { isExact } = await replayProperty(scenario, options, found)

  expect(isExact).toBe(true)
  expect(seen).toEqual([{ big: 7n, at: new Date(5), map: new Map([['a', 1]]) }])
})
