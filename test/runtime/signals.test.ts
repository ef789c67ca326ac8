import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { defineActor, exits, message, type ProcessPort, type StopSignal } from 'echelon'
import { createTestRuntime } from 'echelon/testing'

/** A process that a test signals. */
class TestProcess implements ProcessPort {
  /** Exit codes, and signals by which it was ended. */
  readonly codes: (number | StopSignal)[] = []
  readonly #listeners = new Map<StopSignal, Set<() => void>>()

  on(signal: StopSignal, listener: () => void): void {
    const listeners = this.#listeners.get(signal) ?? new Set()
    this.#listeners.set(signal, listeners.add(listener))
  }

  off(signal: StopSignal, listener: () => void): void {
    this.#listeners.get(signal)?.delete(listener)
  }

  exit(code: number): void {
    this.codes.push(code)
  }

  endBy(signal: StopSignal): void {
    this.codes.push(signal)
  }

  /** Answers whether anybody listened. */
  signal(signal: StopSignal): boolean {
    const listeners = [...(this.#listeners.get(signal) ?? [])]
    for (const listener of listeners) listener()
    return listeners.length > 0
  }

  get listening(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0)
  }
}

const slow = defineActor({
  name: 'slow',
  protocol: { work: message() },
  state: () => 0,
  on: {
    work: async ({ state, clock }) => {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, 100))
      return state + 1
    },
  },
})

describe('a runtime that stops on signals', () => {
  test.each([
    ['SIGTERM', 0],
    ['SIGINT', 130],
  ] as const)('given work, when %s comes, then it is finished and the process ends with %d', async (signal, code) => {
    const process = new TestProcess()
    const test = await createTestRuntime({ signals: process })
    const ref = test.runtime.spawn(slow)
    for (let i = 0; i < 5; i += 1) ref.tell({ type: 'work' })
    expect(process.signal(signal)).toBe(true)
    await test.advance(400)
    expect(process.codes).toEqual([])
    await test.advance(110)
    expect(process.codes).toEqual([code])
    expect(ref.snapshot.context).toBe(5)
    expect(await test.runtime.closed).toEqual(exits.shutdown(signal))
    expect(process.listening).toBe(0)
  })

  test.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ] as const)(
    'given %s, when %s follows, then the process ends at once by it, and only then',
    async (first, second) => {
      const process = new TestProcess()
      const test = await createTestRuntime({ signals: process })
      test.runtime.spawn(slow).tell({ type: 'work' })
      process.signal(first)
      await test.settle()
      process.signal(second)
      expect(process.codes).toEqual([second])
      await test.advance(20_000)
      expect(process.codes).toEqual([second])
      expect(process.listening).toBe(0)
    },
  )

  test('given an actor that never ends, when SIGTERM comes, then the process ends at the deadline', async () => {
    const process = new TestProcess()
    const test = await createTestRuntime({ signals: process, shutdownMs: 1000 })
    const stuck = defineActor({
      name: 'stuck',
      protocol: { hang: message() },
      state: () => undefined,
      on: { hang: () => new Promise<void>(() => undefined) },
    })
    test.runtime.spawn(stuck, { shutdown: 'infinity' }).tell({ type: 'hang' })
    process.signal('SIGTERM')
    await test.advance(1000)
    expect(process.codes).toEqual([0])
  })

  test('given a shutdown without a signal, when it is over, then nobody listens any more and the process goes on', async () => {
    const process = new TestProcess()
    const test = await createTestRuntime({ signals: process })
    expect(process.listening).toBe(2)
    await test.until(test.runtime.shutdown())
    expect(process.listening).toBe(0)
    expect(process.codes).toEqual([])
  })

  test('given a shutdown under way, when a first SIGTERM comes, then the process ends when it is over', async () => {
    const process = new TestProcess()
    const test = await createTestRuntime({ signals: process })
    test.runtime.spawn(slow).tell({ type: 'work' })
    const closing = test.runtime.shutdown()
    await test.settle()
    process.signal('SIGTERM')
    await test.until(closing)
    await test.settle()
    expect(process.codes).toEqual([0])
  })

  test('given two runtimes, when SIGTERM comes, then the process ends when both have', async () => {
    const process = new TestProcess()
    const quick = await createTestRuntime({ signals: process })
    const late = await createTestRuntime({ signals: process })
    expect(process.listening).toBe(2)
    late.runtime.spawn(slow).tell({ type: 'work' })
    process.signal('SIGTERM')
    await quick.until(quick.runtime.closed)
    expect(process.codes).toEqual([])
    expect(process.signal('SIGINT')).toBe(true) // still listens
    expect(process.codes).toEqual(['SIGINT'])
    await late.until(late.runtime.closed)
  })

  test('given a runtime that cannot start, then nobody listens', async () => {
    const process = new TestProcess()
    const broken = defineActor({
      name: 'broken',
      protocol: { ping: message() },
      state: () => {
        throw new Error('no')
      },
      on: { ping: () => undefined },
    })
    await expect(createTestRuntime({ root: broken, signals: process })).rejects.toMatchObject({ code: 'START_FAILED' })
    expect(process.listening).toBe(0)
  })
})

describe('a real process under load', () => {
  const program = fileURLToPath(new URL('signals-program.ts', import.meta.url))

  /** Starts the program and waits until it has acknowledged some work. */
  const start = async (
    mode: 'drains' | 'hangs',
  ): Promise<{ child: ChildProcess; lines: string[]; ended: Promise<unknown[]> }> => {
    const child = spawn(process.execPath, ['--conditions=echelon-source', program, mode], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    const busy = Promise.withResolvers<void>()
    const reader = createInterface({ input: child.stdout })
    reader.on('line', (line) => {
      lines.push(line)
      if (lines.length === 50 || line === 'hanging') busy.resolve()
    })
    const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([exit]) => exit as unknown[])
    await busy.promise
    return { child, lines, ended }
  }

  test('given SIGTERM, then it drains, ends with 0, and handles all that it acknowledged', async () => {
    const { child, lines, ended } = await start('drains')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    const ids = (word: string): string[] =>
      lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length))
    expect(ids('took ').length).toBeGreaterThan(0)
    expect(ids('took ').filter((id) => !ids('done ').includes(id))).toEqual([])
    expect(lines.at(-1)).toBe('closed: 0 dead letters, 0 killed')
  })

  test('given a second SIGTERM, then it ends at once by it', async () => {
    const { child, lines, ended } = await start('hangs')
    child.kill('SIGTERM')
    await expect.poll(() => lines, { interval: 5 }).toContain('draining')
    child.kill('SIGTERM')
    expect(await ended).toEqual([null, 'SIGTERM'])
    expect(lines.some((line) => line.startsWith('closed'))).toBe(false)
  })
})
