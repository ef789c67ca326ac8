import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question } from 'echelon'
import { createTestRuntime, VirtualClock, type TestRuntime } from 'echelon/testing'
import { JournalFullError } from '../../../src/core/journal-errors.ts'
import { clockAfter, disk } from './disk.ts'

/*
 * Everything at once: messages, effects, timers, crashes, kills, stops, idle times, slow and full disks, and the end of
 * processes, in any order. What was acknowledged is handled once, effects run once, and a replay agrees.
 */

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('durably' as const), key: fc.constantFrom('a', 'b') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('plainly' as const), key: fc.constantFrom('a', 'b') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      key: fc.constantFrom('a', 'b'),
      ms: fc.constantFrom(0, 5, 50),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), key: fc.constantFrom('a', 'b') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('remind' as const),
      key: fc.constantFrom('a', 'b'),
      ms: fc.constantFrom(0, 10, 3000),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 7, 100, 1500) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('crash' as const, 'kill' as const, 'stop' as const),
      key: fc.constantFrom('a', 'b'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('hold' as const, 'go' as const, 'full' as const, 'space' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('end process' as const, 'end cleanly' as const) }) },
)

/** What is outside: who is called by effects, with time that passes meanwhile. */
class World {
  readonly runs: string[] = []
  clock: VirtualClock = new VirtualClock()

  work(name: string, ms: number): Promise<string> {
    this.runs.push(name)
    if (ms === 0) return Promise.resolve(name)
    return new Promise((resolve) => {
      this.clock.setTimeout(() => {
        resolve(name)
      }, ms)
    })
  }
}

function tally(world: World, every: number) {
  const definition = defineActor({
    name: 'tally',
    durable: { passivateAfterMs: 1000, snapshotEvery: { entries: every } },
    protocol: {
      hear: message({ word: z.string() }),
      work: message({ word: z.string(), ms: z.int() }),
      pass: message({ word: z.string() }),
      remind: message({ word: z.string(), ms: z.int() }),
      crash: message(),
      heard: question({}, z.array(z.string())),
    },
    state: (): readonly string[] => [],
    on: {
      hear: ({ state, message: { word } }) => [...state, word],
      work: async ({ state, message: { word, ms }, effect }) => {
        const did = await effect(word, () => world.work(word, ms))
        return [...state, did]
      },
      pass: async ({ state, message: { word }, effect, path }) => {
        // To the other one, durably, as an effect: the id makes it one message.
        const other = path.endsWith('/a') ? 'b' : 'a'
        await effect(`pass ${word}`, () => pass(other, word), { idempotent: true })
        return [...state, word]
      },
      remind: ({ state, message: { word, ms }, timers }) => {
        timers.after(word, ms, { type: 'hear', word: `rung ${word}` })
        return [...state, word]
      },
      crash: () => {
        throw new Error('boom')
      },
      heard: ({ state, reply }) => {
        reply([...state])
      },
    },
  })
  let pass = (_key: string, _word: string): Promise<void> => Promise.resolve()
  return {
    definition,
    passBy: (given: typeof pass): void => {
      pass = given
    },
  }
}

const harmless = new Set(['boom', 'No space left'])

test('given everything at once, then what was acknowledged is handled once, effects run once, and replays agree', async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 8 }),
      async (steps, every) => {
        const world = new World()
        const store = disk()
        const { definition, passBy } = tally(world, every)
        const failures: string[] = []
        const acknowledged = new Set<string>()
        let t!: TestRuntime
        const begin = async (clock: VirtualClock): Promise<void> => {
          world.clock = clock
          t = await createTestRuntime({
            journal: store.journal,
            clock,
            // The world knows what it did: an effect that ran has its result, and one that did not may run.
            onInDoubt: ({ key }) => (world.runs.includes(key) ? { kind: 'value', value: key } : { kind: 'retry' }),
          })
          t.runtime.on('failed', ({ error }) => failures.push(String(error)))
          passBy((key, word) =>
            t.runtime.get(definition, key).tell({ type: 'hear', word: `passed ${word}` }, { durable: true, id: word }),
          )
          // From here on it is known, and what is unfinished goes on.
          t.runtime.get(definition, 'a')
        }
        await begin(world.clock)
        for (const [i, given] of steps.entries()) {
          const word = `${i}`
          seen.set(given.do, (seen.get(given.do) ?? 0) + 1)
          const durably = (key: string, told: Parameters<ReturnType<typeof ref>['tell']>[0]): void => {
            ref(key)
              .tell(told, { durable: true, id: word })
              .then(
                () => acknowledged.add(word),
                () => undefined,
              )
          }
          const ref = (key: string) => t.runtime.get(definition, key)
          switch (given.do) {
            case 'durably':
              durably(given.key, { type: 'hear', word })
              break
            case 'plainly':
              ref(given.key).tell({ type: 'hear', word })
              break
            case 'work':
              durably(given.key, { type: 'work', word, ms: given.ms })
              break
            case 'pass':
              durably(given.key, { type: 'pass', word })
              break
            case 'remind':
              durably(given.key, { type: 'remind', word, ms: given.ms })
              break
            case 'settle':
              await t.settle()
              break
            case 'advance':
              await t.advance(given.ms)
              break
            case 'crash':
              ref(given.key).tell({ type: 'crash' })
              break
            case 'kill':
              ref(given.key).kill()
              break
            case 'stop':
              void ref(given.key).stop()
              break
            case 'hold':
              store.hold()
              break
            case 'go':
              store.letGo()
              break
            case 'full':
              store.fail(new JournalFullError('memory'))
              break
            case 'space':
              store.mend()
              break
            case 'end process':
            case 'end cleanly':
              if (given.do === 'end cleanly') {
                store.letGo()
                await t.until(t.runtime.shutdown({ deadlineMs: 500 }))
              }
              store.endProcess()
              await begin(clockAfter(t.clock))
              break
          }
        }
        store.letGo()
        store.mend()
        // Long enough for all that waits: retries, effects, timers, and those that have used up their restarts.
        await t.advance(200_000)
        const heard = async (key: string): Promise<string[]> =>
          t.until(t.runtime.get(definition, key).ask({ type: 'heard' }))
        await heard('a')
        await heard('b')
        await t.advance(200_000)
        const all = [...(await heard('a')), ...(await heard('b'))]
        expect(new Set(all).size).toBe(all.length)
        for (const word of acknowledged) {
          const given = steps[Number(word)]
          expect(all).toContain(word)
          if (given?.do === 'pass') expect(all).toContain(`passed ${word}`)
          if (given?.do === 'remind') expect(all).toContain(`rung ${word}`)
        }
        expect(new Set(world.runs).size).toBe(world.runs.length)
        const odd = failures.filter((text) => ![...harmless].some((known) => text.includes(known)))
        expect(odd).toEqual([])
        const last = [await heard('a'), await heard('b')]
        store.endProcess()
        await begin(clockAfter(t.clock))
        expect([await heard('a'), await heard('b')]).toEqual(last)
      },
    ),
    { numRuns: 200 },
  )
  expect(seen.size).toBe(16)
}, 120_000)
