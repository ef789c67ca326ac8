/* eslint-disable no-restricted-imports, no-restricted-properties, no-restricted-globals -- what becomes of them in a world is what is tested */
import crypto from 'node:crypto'
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { once } from 'node:events'
import http, { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { connect, Socket, type AddressInfo } from 'node:net'
import fs, { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { runInThisContext } from 'node:vm'
import { setImmediate as immediately, setTimeout as sleep } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { defineActor, message } from 'echelon'
import { defineScenario, faults, simulate, type SimulateOptions, type World } from 'echelon/testing'

// What code has in its hands before any world began.
const boundBefore = { setTimeout, random: Math.random }

/** Runs `code` in the handler of an actor, in a world. */
function inHandler(
  code: () => unknown,
  options: SimulateOptions = {},
  wait: (world: World) => Promise<void> = (world) => world.sleep(60_000),
) {
  const doer = defineActor({
    name: 'doer',
    protocol: { 'doer.do': message() },
    on: {
      'doer.do': async () => {
        await code()
      },
    },
  })
  const scenario = defineScenario({
    name: 'globals',
    nodes: { n: { journal: false, setup: (runtime) => void runtime.spawn(doer, { name: 'doer' }) } },
    run: async (world) => {
      world.node('n').at('/user/doer', doer).tell({ type: 'doer.do' })
      await wait(world)
    },
  })
  return simulate(scenario, { seeds: 1, faults: faults.none(), folder: false, ...options })
}

test.each([
  ['Date.now', () => Date.now()],
  ['new Date', () => new Date().toISOString()],
  ['Date()', () => Date()],
  ['performance.now', () => performance.now()],
  ['process.hrtime', () => process.hrtime()],
  ['process.hrtime.bigint', () => process.hrtime.bigint()],
  ['Math.random', () => Math.random()],
  ['crypto.randomUUID', () => crypto.randomUUID()],
  ['globalThis.crypto.randomUUID', () => globalThis.crypto.randomUUID()],
  ['crypto.randomBytes', () => crypto.randomBytes(8).toString('hex')],
  ['crypto.randomInt', () => crypto.randomInt(1_000_000)],
  ['getRandomValues', () => globalThis.crypto.getRandomValues(new Uint8Array(4)).join()],
])('given %s in a handler, when the seed is the same, then it gives the same', async (_name, code) => {
  const seen: unknown[] = []
  const note = () => seen.push(String(code()))

  await inHandler(note)
  await inHandler(note)

  expect(seen).toHaveLength(2)
  expect(seen[0]).toBe(seen[1])
})

test('given another seed, then chance is another', async () => {
  const seen: number[] = []
  await inHandler(() => seen.push(Math.random()), { seeds: [1] })
  await inHandler(() => seen.push(Math.random()), { seeds: [2] })

  expect(new Set(seen).size).toBe(2)
})

test('given a Date of a world, then it is a Date, and one with arguments is what they say', async () => {
  const seen: unknown[] = []
  await inHandler(() => {
    seen.push(new Date() instanceof Date, new Date(0).toISOString(), Date.UTC(2020, 1), new Date().getUTCFullYear())
  })

  expect(seen).toEqual([true, '1970-01-01T00:00:00.000Z', Date.UTC(2020, 1), 2026])
})

test.each([
  ['setTimeout', (done: () => void) => void setTimeout(done, 30_000)],
  ['timers/promises', async (done: () => void) => sleep(30_000).then(done)],
  ['promisify(setTimeout)', async (done: () => void) => promisify(setTimeout)(30_000).then(done)],
  [
    'AbortSignal.timeout',
    (done: () => void) => {
      AbortSignal.timeout(30_000).addEventListener('abort', done)
    },
  ],
])(
  'given %s of half a minute in a handler, when half a minute of the world has passed, then it rings',
  async (_name, code) => {
    const rung: number[] = []
    const startMs = Date.now()
    await inHandler(
      () => code(() => rung.push(Date.now())),
      {},
      (world) => world.sleep(40_000),
    )

    expect(rung).toHaveLength(1)
    expect(rung[0]).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1) + 30_000)
    expect(Date.now() - startMs).toBeLessThan(20_000)
  },
)

test('given an interval and a timer that are cleared, then they ring no more', async () => {
  let ticks = 0
  await inHandler(() => {
    const interval = setInterval(() => {
      ticks += 1
      if (ticks === 3) clearInterval(interval)
    }, 1000)
    clearTimeout(setTimeout(() => (ticks += 100), 500))
    const disposed = setTimeout(() => (ticks += 100), 500)
    disposed[Symbol.dispose]()
  })

  expect(ticks).toBe(3)
})

test('given code outside of worlds after one has run, then it has the real time', async () => {
  await inHandler(() => undefined)

  expect(Math.abs(Date.now() - performance.timeOrigin - performance.now())).toBeLessThan(5000)
  await sleep(1)
})

test.each([
  ['fetch', () => fetch('http://127.0.0.1:1/'), /globalThis\.fetch/],
  ['net.connect', () => connect(1, '127.0.0.1'), /net\.connect/],
  ['fs.readFileSync', () => readFileSync(import.meta.filename), /fs\.readFileSync/],
  ['fs/promises', () => readFile(import.meta.filename), /fs\/promises\.readFile/],
])('given %s in a handler, then the world is refused with what escaped and where', async (_name, code, what) => {
  const failed = inHandler(code)

  await expect(failed).rejects.toMatchObject({ code: 'SIMULATION_FAILED', invariant: 'escape' })
  await expect(failed).rejects.toThrow(what)
  await expect(failed).rejects.toThrow(/globals\.test\.ts:\d+/)
})

test('given a timer that was bound before the first world, then it is noticed as a real one, with its place', async () => {
  await import('echelon/testing')
  // The first world has replaced the global already: only a function that was taken before is real.
  const real = vi.isFakeTimers() ? undefined : boundBefore.setTimeout
  const failed = inHandler(() => void real?.(() => undefined, 1))

  await expect(failed).rejects.toMatchObject({ invariant: 'escape' })
  await expect(failed).rejects.toThrow(/a real timer in a simulated world, at .*globals\.test\.ts:\d+/)
})

test.each([
  ['Date.now', () => Date.now()],
  ['Math.random', () => Math.random()],
  ['setTimeout', () => void setTimeout(() => undefined, 1)],
])('given a strict world and %s in a handler, then it is refused', async (what, code) => {
  await expect(inHandler(code, { strict: true })).rejects.toThrow(
    new RegExp(`${what.split('.')[0] ?? ''}.* in a simulated world`),
  )
})

test('given a console that is used in a handler, then that is no escape', async () => {
  const shown = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  await inHandler(() => {
    console.info('hello')
  })

  expect(shown).toHaveBeenCalledWith('hello')
})

test('given something real that is let through, then it happens, and the report says why the run is not repeatable', async () => {
  let text = ''
  const scenario = defineScenario({
    name: 'let through',
    nodes: {},
    run: async (world) => {
      text = await world.external('reads a file', () => readFile(import.meta.filename, 'utf8'))
    },
  })
  const report = await simulate(scenario, { seeds: 1, folder: false })

  expect(text).toContain('let through')
  expect(report.external).toBe('reads a file')
})

test('given several real requests that are let through, with waiting in between, when the world goes on meanwhile, then all are answered', async () => {
  const server = createServer((_request, response) => response.end('paid')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on a port has an address with one.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const seen: unknown[] = []
  const scenario = defineScenario({
    name: 'let through',
    nodes: {},
    run: async (world) => {
      const paid = world.external('pays', async () => {
        const texts = [await (await fetch(url)).text()]
        const startMs = Date.now()
        await new Promise((resolve) => setTimeout(resolve, 5))
        texts.push(await (await fetch(url)).text())
        return { texts, isReal: Date.now() > startMs && startMs > Date.UTC(2026, 0, 2) }
      })
      for (let round = 0; round < 20; round += 1) await world.sleep(1)
      seen.push(await paid, Date.now() < Date.UTC(2026, 0, 2))
    },
  })

  await simulate(scenario, { seeds: 1, faults: faults.none(), folder: false })
  server.close()

  expect(seen).toEqual([{ texts: ['paid', 'paid'], isReal: true }, true])
})

test('given code that is let through and throws, then the scenario gets what it throws', async () => {
  let caught: unknown
  const scenario = defineScenario({
    name: 'let through',
    nodes: {},
    run: async (world) => {
      await world
        .external('fails', () => {
          throw new Error('no such thing')
        })
        .catch((error: unknown) => (caught = error))
    },
  })
  await simulate(scenario, { seeds: 1, folder: false })

  expect(caught).toMatchObject({ message: 'no such thing' })
})

test.each([
  ['AsyncResource', () => new AsyncResource('pool').runInAsyncScope(() => 1)],
  ['AsyncResource.bind', () => AsyncResource.bind(() => 1)()],
  ['AsyncLocalStorage.snapshot', () => AsyncLocalStorage.snapshot()(() => 1)],
  [
    'Readable.from',
    async () => {
      const items: unknown[] = []
      for await (const item of Readable.from([1, 2])) items.push(item)
      return items.length
    },
  ],
])('given %s in a handler, then that is no escape', async (_name, code) => {
  await expect(inHandler(code)).resolves.toMatchObject({ worlds: 1 })
})

test.each([
  [
    'crypto.subtle',
    () => globalThis.crypto.subtle.digest('SHA-256', new Uint8Array(3)),
    /a real hash of the thread pool/,
  ],
  [
    'MessageChannel',
    () => {
      new MessageChannel().port1.close()
    },
    /a real message port/,
  ],
])('given %s in a handler, then it is noticed', async (_name, code, what) => {
  await expect(inHandler(code)).rejects.toThrow(what)
})

/** The function as if it were of a package: its frames are those of a file in `node_modules`. */
const inLibrary = (source: string, ...args: unknown[]): unknown => {
  // It is the function that the source says.
  const library = runInThisContext(source, { filename: '/app/node_modules/sdk/index.js' }) as (
    ...given: unknown[]
  ) => unknown
  return library(...args)
}

test.each([
  ['fetch', () => inLibrary('() => fetch("http://127.0.0.1:1/")'), /globalThis\.fetch/],
  ['http.get', () => inLibrary('(http) => http.get("http://127.0.0.1:1/")', http), /http\.get/],
  ['net.Socket', () => inLibrary('(Socket) => new Socket().connect(1, "127.0.0.1")', Socket), /net\.Socket\.connect/],
  ['fs', () => inLibrary('(fs, path) => fs.readFileSync(path)', fs, import.meta.filename), /fs\.readFileSync/],
])('given a library that uses %s in a handler, then that is refused too', async (_name, code, what) => {
  await expect(inHandler(code)).rejects.toThrow(what)
})

test('given a module that is loaded in a handler, then its files are read', async () => {
  let name: unknown
  await inHandler(() => {
    const loaded: unknown = createRequire(import.meta.url)('../../../tsconfig.json')
    name = typeof loaded
  })

  expect(name).toBe('object')
})

test('given stacks without frames, when code reads a file in a handler, then that is refused', async () => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    await expect(inHandler(() => readFileSync(import.meta.filename))).rejects.toThrow(/fs\.readFileSync/)
    expect(Error.stackTraceLimit).toBe(0)
  } finally {
    Error.stackTraceLimit = limit
  }
})

test('given a Date, then its constructor is Date, in worlds and outside', async () => {
  const seen: unknown[] = []
  await inHandler(() => seen.push(new Date(0).constructor === Date))

  expect([...seen, new Date(0).constructor === Date]).toEqual([true, true])
})

test('given timers in a world, then their details are those of Node', async () => {
  const seen: unknown[] = []
  await inHandler(() => {
    const startMs = Date.now()
    setTimeout(() => seen.push(['timeout 0', Date.now() - startMs]), 0)
    setImmediate(() => seen.push(['immediate', Date.now() - startMs]))
    const cleared = setTimeout(() => seen.push('a timer that was cleared by its number'), 5)
    clearTimeout(Number(cleared))
    try {
      // What JavaScript may give.
      setTimeout('code' as unknown as () => void, 1)
    } catch (error) {
      seen.push(error)
    }
  })

  expect(seen).toEqual([expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }), ['immediate', 0], ['timeout 0', 1]])
})

test('given a signal that is aborted, then setImmediate of timers/promises heeds it', async () => {
  let caught: unknown
  await inHandler(() =>
    immediately(1, { signal: AbortSignal.abort() }).catch((error: unknown) => {
      caught = error
    }),
  )

  expect(caught).toMatchObject({ code: 'ABORT_ERR' })
})
