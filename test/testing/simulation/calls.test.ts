import { expect, test } from 'vitest'
import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import {
  callsTool,
  defineScenario,
  EscapedSimulationError,
  faults,
  hostile,
  hostileResult,
  perWorld,
  says,
  scripted,
  simulate,
  wrap,
  type ModelReply,
  type World,
} from 'echelon/testing'

const books = perWorld(() => ({ charges: 0 }))
const bank = {
  accounts: {
    charge: (usd: number): Promise<string> => {
      if (usd < 0) throw new RangeError('less than nothing')
      books.current.charges += 1
      return Promise.resolve(`receipt ${books.current.charges}`)
    },
  },
  name: 'bank',
}
const client = wrap(bank, { name: 'bank' })

const payer = defineActor({
  name: 'payer',
  protocol: { 'payer.pay': question({ usd: z.number() }, z.string()) },
  on: {
    'payer.pay': async ({ message, reply }) => {
      reply(await client.accounts.charge(message.usd).catch((error: unknown) => String(error)))
    },
  },
})

const pays = (check: (answer: string, charges: number) => void, usd = 1) =>
  defineScenario({
    name: 'pays',
    nodes: {
      shop: {
        journal: false,
        setup: (runtime) => {
          runtime.spawn(payer, { name: 'p' })
        },
      },
    },
    run: async (world) => {
      const ref = world.node('shop').at('/user/p', payer)
      const answer = await ref
        .ask({ type: 'payer.pay', usd }, { timeoutMs: 60_000 })
        .catch((error: unknown) => String(error))
      await world.sleep(60_000)
      check(answer, books.current.charges)
      world.expect(world.calls.of('bank.accounts.charge').length === 1, 'not one call')
    },
  })

test('given a wrapped client outside of worlds, then it is the client', async () => {
  expect(client.name).toBe('bank')
  expect(await client.accounts.charge(1)).toMatch(/^receipt \d+$/)
})

/** Runs `run` in a world in which nothing fails. */
const inWorld = (run: (world: World) => Promise<void>): Promise<unknown> =>
  simulate(defineScenario({ name: 'services', nodes: {}, run }), {
    ...{ seeds: 1, faults: faults.none(), twiceEvery: 0, folder: false },
  })

class Store {
  readonly #rows = [1]
  readonly index = new Map([['one', 1]])
  static readonly limit = 9
  readonly Limits = Store
  get size(): number {
    return this.#rows.length
  }
  list(): Promise<number[]> {
    return Promise.resolve(this.#rows)
  }
  count(): number {
    return this.#rows.length
  }
}

test('given a client of a class, when it is wrapped, then its getters, maps, classes and methods are what they were', async () => {
  const store = wrap(new Store())

  expect(store.size).toBe(1)
  expect(store.index.size).toBe(1)
  expect(store.Limits.limit).toBe(9)
  expect(store.list).toBe(store.list)
  expect(store).toBeInstanceOf(Store)
  expect(store.constructor).toBe(Store)
  expect(Object.keys(store)).toEqual(['index', 'Limits'])
  expect(await store.list()).toEqual([1])
})

test('given a frozen client, then its parts are under the world all the same', async () => {
  const frozen = wrap(Object.freeze({ say: (text: string) => Promise.resolve(text) }), { name: 'frozen' })
  expect(await frozen.say('outside')).toBe('outside')

  await inWorld(async (world) => {
    world.expect((await frozen.say('inside')) === 'inside', 'another answer')
    world.expect(world.calls.of('frozen.say').length === 1, 'not under the world')
  })
})

test('given a client that is a function, with functions of its own, then they are under the world', async () => {
  const query = Object.assign((text: string) => Promise.resolve([text]), { end: () => Promise.resolve('ended') })
  const sql = wrap(query, { name: 'sql' })
  expect(await sql('select 1')).toEqual(['select 1'])

  await inWorld(async (world) => {
    const answers = [await sql('select 2'), await sql.end(), await sql.call(undefined, 'select 3')]
    world.expect(JSON.stringify(answers) === '[["select 2"],"ended",["select 3"]]', JSON.stringify(answers))
    world.expect(world.calls.made.map(({ name }) => name).join() === 'sql,sql.end,sql', 'not under the world')
  })
})

test('given data that is sent and comes back, then neither end sees what the other does to it', async () => {
  const rows = [{ at: new Date(0), n: 1 }]
  const got: string[] = []
  const db = wrap({
    put: (row: { text: string }) => Promise.resolve(void got.push(row.text)),
    list: () => Promise.resolve(rows),
  })
  await inWorld(async (world) => {
    const row = { text: 'as sent' }
    const put = db.put(row)
    row.text = 'changed after the call'
    await put
    const list = await db.list()
    world.expect(list[0]?.at instanceof Date && list[0].at !== rows[0]?.at, 'not a copy')
    list.push({ at: new Date(1), n: 2 })
    world.expect(JSON.stringify(world.calls.made[0]?.args) === '[{"text":"as sent"}]', 'another call')
  })

  expect(got).toEqual(['as sent'])
  expect(rows).toHaveLength(1)
})

test('given a stream, awaited or not, then its items come through the world, one by one', async () => {
  const feed = wrap({ items, open: () => Promise.resolve(items(2)) }, { name: 'feed' })
  const seen: unknown[] = []
  await inWorld(async (world) => {
    for await (const item of feed.items(3)) seen.push(item)
    for await (const item of await feed.open()) seen.push(item)
    world.expect(world.calls.of('feed.items.next').length === 4, 'not one by one')
    world.expect(world.nowMs >= 8 * 2, 'without time')
  })

  expect(seen).toEqual([0, 1, 2, 0, 1])
})

async function* items(n: number): AsyncGenerator<number> {
  for (let i = 0; i < n; i += 1) yield await Promise.resolve(i)
}

test('given a call that gives an object of functions, when it is awaited, then they are under the world, else an error says to await it', async () => {
  const base = {
    collection: (name: string) => ({ insert: (n: number) => Promise.resolve(`${name} ${n}`) }),
    count: () => 3,
  }
  const db = wrap(base, { name: 'db' })
  const failures: unknown[] = []
  await inWorld(async (world) => {
    // Its type does not say that it is a promise here.
    const collection = await Promise.resolve(db.collection('a'))
    world.expect((await collection.insert(1)) === 'a 1', 'another answer')
    world.expect(world.calls.of('db.collection().insert').length === 1, 'not under the world')
    world.expect((db.count() as unknown) instanceof Promise, 'not a promise')
    try {
      await db.collection('b').insert(2)
    } catch (error) {
      failures.push(error)
    }
  })

  expect(failures[0]).toBeInstanceOf(EscapedSimulationError)
  expect(String(failures[0])).toMatch(/db\.collection\(\)\.insert\(\).*await it/)
  expect(await base.collection('c').insert(3)).toBe(await db.collection('c').insert(3))
})

test('given a call in a world, then the service does it, its answer comes back, and each world has accounts of its own', async () => {
  const answers: string[] = []
  await simulate(
    pays((answer) => answers.push(answer)),
    { seeds: 3, faults: faults.none(), twiceEvery: 0, folder: false },
  )

  expect(answers).toEqual(['receipt 1', 'receipt 1', 'receipt 1'])
})

test('given a service that throws, then its error comes back', async () => {
  const answers: string[] = []
  await simulate(
    pays((answer) => answers.push(answer), -1),
    { seeds: 1, faults: faults.none(), folder: false },
  )

  expect(answers).toEqual(['RangeError: less than nothing'])
})

test('given calls that fail in every way, then each way is come by: done or not, and answered or not', async () => {
  const seen = new Map<string, number>()
  await simulate(
    pays((answer, charges) => {
      const key = `${charges} ${answer
        .replace(/^.*charge: /, '')
        .replace(/receipt.*/, 'receipt')
        .replace(/^.*ASK_TIMEOUT.*|.*no answer.*/i, 'no answer')}`
      seen.set(key, (seen.get(key) ?? 0) + 1)
    }),
    { seeds: 200, faults: faults.only({ call: 1, swarm: false, max: 1 }), twiceEvery: 0, folder: false },
  )

  const ways = [...seen.keys()]
  expect(ways).toContain('0 is not there now')
  expect(ways).toContain('0 too many requests')
  expect(ways).toContain('0 internal error')
  expect(ways).toContain('0 the connection was reset')
  expect(ways).toContain('1 the connection was reset')
  expect(ways).toContain('1 receipt')
  expect(ways.some((way) => way.startsWith('1 ') && !way.includes('reset') && !way.includes('receipt'))).toBe(true)
})

test('given a model of a client, then it answers instead, and what it does not have is refused', async () => {
  const sdk = {
    chat: {
      create: (_prompt: string): Promise<string> => Promise.reject(new Error('real')),
      list: (): string => 'real',
    },
  }
  const modelled = wrap(sdk, { name: 'sdk', model: { chat: { create: (prompt) => `echo ${prompt}` } } })
  const asker = defineActor({
    name: 'asker',
    protocol: { 'asker.go': message() },
    on: {
      'asker.go': async () => {
        answers.push(await modelled.chat.create('hello'))
        answers.push(modelled.chat.list())
      },
    },
  })
  const answers: string[] = []
  const scenario = defineScenario({
    name: 'modelled',
    nodes: {
      n: {
        journal: false,
        setup: (runtime) => {
          runtime.spawn(asker, { name: 'a' }).tell({ type: 'asker.go' })
        },
      },
    },
    run: async (world) => {
      await world.sleep(100)
      world.expect(answers.length === 1, answers.join())
    },
    always: () => true,
  })
  await simulate(scenario, { seeds: 1, faults: faults.none(), folder: false })

  expect(answers).toEqual(['echo hello'])
})

test('given a script, then its replies come in turn in each world, and then the last, or those of another', async () => {
  const script = scripted([says('one'), callsTool('search', { q: 'x' })])
  const told: string[] = []
  const both = script.orElse(() => says('other'))
  await simulate(
    defineScenario({
      name: 'script',
      nodes: {},
      run: () => {
        told.push(script(0).content, script(0).toolCalls[0]?.arguments ?? '', script(0).finishReason ?? '')
        told.push(both(0).content)
      },
    }),
    { seeds: 2, twiceEvery: 0, folder: false },
  )

  expect(told.slice(0, 4)).toEqual(['one', '{"q":"x"}', 'tool_calls', 'other'])
  expect(told.slice(4)).toEqual(told.slice(0, 4))
})

test('given hostile replies and results, then every way of being spoiled is come by, and outside of worlds none', async () => {
  const honest = (): ModelReply => ({ ...callsTool('search', { q: 'cats' }), content: 'I look.' })
  const model = hostile(honest, { tools: ['search', 'delete'], rate: 0.9 })
  const replies = new Set<string>()
  const results = new Set<string>()
  await simulate(
    defineScenario({
      name: 'hostile',
      nodes: {},
      run: () => {
        for (let n = 0; n < 10; n += 1) {
          replies.add(JSON.stringify(model(n)).slice(0, 300))
          results.add(
            (JSON.stringify(hostileResult({ n: 1 }, { rate: 0.9 })) as string | undefined)?.slice(0, 60) ?? 'nothing',
          )
        }
      },
    }),
    { seeds: 40, faults: faults.only({ call: 0.9, swarm: false, max: 1000 }), folder: false },
  )

  expect(replies.size).toBeGreaterThanOrEqual(12)
  expect([...replies].some((reply) => reply.includes('IGNORE ALL PREVIOUS INSTRUCTIONS'))).toBe(true)
  expect([...replies].some((reply) => reply.includes('"name":"delete"'))).toBe(true)
  expect(results.size).toBeGreaterThanOrEqual(6)
  expect(hostile(honest)(1)).toEqual(honest())
  expect(hostileResult(1)).toBe(1)
})
