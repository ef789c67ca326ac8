import { describe, expect, test } from 'vitest'
import { child, defineActor, defineKey, message, question, supervisor } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import * as z from 'zod'
import { cellOf } from '../../src/actors/ref.ts'

const protocol = { end: message(), crash: message(), join: message(), others: question({}, z.array(z.string())) }
const readers = defineKey('readers', protocol)

const reader = defineActor({
  name: 'reader',
  protocol,
  state: () => undefined,
  on: {
    end: ({ stop }) => {
      stop()
    },
    crash: () => {
      throw new Error('boom')
    },
    join: ({ register }) => {
      register(readers)
    },
    others: ({ find, reply }) => {
      reply(find(readers).map(({ path }) => path))
    },
  },
})

describe('names', () => {
  test('given a name that is held, when another wants it, then it is refused, and the holder keeps it', async () => {
    await using test = await createTestRuntime()
    const { runtime } = test
    const [a, b] = [runtime.spawn(reader), runtime.spawn(reader)]
    runtime.register('the-reader', a)
    expect(() => runtime.register('the-reader', b)).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }))
    expect(() => runtime.register('the-reader', a)).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }))
    expect(runtime.whereis('the-reader')).toBe(a)
  })

  test.each(['', 'a/b', 'with space', 'x'.repeat(201), '\n'])('given %j, then it is no name', async (name) => {
    await using test = await createTestRuntime()
    const ref = test.runtime.spawn(reader)
    expect(() => test.runtime.register(name, ref)).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
  })

  test.each(['end', 'crash', 'stop', 'kill'] as const)(
    'given a holder that ends by %s, when its watcher learns of it, then the name is free',
    async (how) => {
      await using test = await createTestRuntime()
      const { runtime } = test
      const holder = runtime.spawn(reader, { restart: 'temporary' })
      const heir = runtime.spawn(reader)
      runtime.register('the-reader', holder)
      let taken: unknown
      holder.watch(() => {
        taken = runtime.whereis('the-reader')
        runtime.register('the-reader', heir)
      })
      if (how === 'stop') void holder.stop()
      else if (how === 'kill') holder.kill()
      else holder.tell({ type: how })
      await test.settle()
      expect(taken).toBeUndefined()
      expect(runtime.whereis('the-reader')).toBe(heir)
    },
  )

  test('given a name that was released, when its former holder ends, then the next holder keeps it', async () => {
    await using test = await createTestRuntime()
    const { runtime } = test
    const [first, second] = [runtime.spawn(reader), runtime.spawn(reader)]
    const release = runtime.register('the-reader', first)
    release()
    runtime.register('the-reader', second)
    release()
    await test.until(first.stop())
    expect(runtime.whereis('the-reader')).toBe(second)
  })

  test('given an actor that has ended, when a name is wanted for it, then it is refused and the name is free', async () => {
    await using test = await createTestRuntime()
    const { runtime } = test
    const gone = runtime.spawn(reader)
    await test.until(gone.stop())
    expect(() => runtime.register('the-reader', gone)).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
    expect(runtime.whereis('the-reader')).toBeUndefined()
    runtime.register('the-reader', runtime.spawn(reader))
  })

  test('given a holder that restarts, then its new incarnation has to register again', async () => {
    await using test = await createTestRuntime()
    const { runtime } = test
    const holder = runtime.spawn(reader)
    runtime.register('the-reader', holder)
    holder.tell({ type: 'crash' })
    await test.settle()
    expect(holder.isRunning).toBe(true)
    expect(runtime.whereis('the-reader')).toBeUndefined()
    runtime.register('the-reader', holder)
  })
})

describe('discovery', () => {
  test('given actors that registered, when others look, then they find those that are there, in the order in which they came', async () => {
    await using test = await createTestRuntime()
    const { runtime } = test
    const refs = ['a', 'b', 'c'].map((name) => runtime.spawn(reader, { name, restart: 'temporary' }))
    for (const ref of refs) ref.tell({ type: 'join' })
    await test.settle()
    expect(runtime.find(readers)).toEqual(refs)
    refs[1]?.tell({ type: 'end' })
    await test.settle()
    expect(await test.until(refs[0]?.ask({ type: 'others' }) ?? Promise.reject(new Error('none')))).toEqual([
      '/user/a',
      '/user/c',
    ])
    refs[0]?.kill()
    expect(runtime.find(readers).map(({ path }) => path)).toEqual(['/user/c'])
  })

  test('given an actor that restarts, then its old incarnation is not found, and the new one once it registers', async () => {
    const root = supervisor('app', { children: [child(reader)] })
    await using test = await createTestRuntime({ root })
    const ref = test.runtime.ref('/app/reader') as unknown as { tell(message: { type: keyof typeof protocol }): void }
    ref.tell({ type: 'join' })
    await test.settle()
    expect(test.runtime.find(readers)).toHaveLength(1)
    ref.tell({ type: 'crash' })
    await test.settle()
    expect(test.runtime.find(readers)).toEqual([])
    ref.tell({ type: 'join' })
    ref.tell({ type: 'join' })
    await test.settle()
    expect(test.runtime.find(readers).map(({ path, incarnation }) => `${path}#${incarnation}`)).toEqual([
      '/app/reader#2',
    ])
  })

  test('given nobody, then nobody is found', async () => {
    await using test = await createTestRuntime()
    expect(test.runtime.find(defineKey('nobody', protocol))).toEqual([])
  })
})

test('given a path and a definition, then the ref has the types of the definition, and another definition finds nothing', async () => {
  const other = defineActor({
    name: 'other',
    protocol,
    on: {
      end: () => undefined,
      crash: () => undefined,
      join: () => undefined,
      others: ({ reply }) => {
        reply([])
      },
    },
  })
  await using test = await createTestRuntime({
    root: supervisor('top', { children: [child(reader, { id: 'first' })] }),
  })
  const found = test.runtime.ref('/top/first', reader)
  const others = found?.ask({ type: 'others' })
  await test.settle()
  expect(await others).toEqual([])
  expect(test.runtime.ref('/top/first', other)).toBeUndefined()
  expect(test.runtime.ref('/top/second', reader)).toBeUndefined()
})

test('given an actor that registers again and again, then nothing is kept but what it holds', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const ref = runtime.spawn(reader)
  for (let round = 0; round < 10; round += 1) {
    runtime.register('the-reader', ref)()
    ref.tell({ type: 'join' })
  }
  runtime.register('the-reader', ref)
  await test.settle()
  expect(runtime.find(readers)).toEqual([ref])
  expect(cellOf(ref).parts.cleanups?.size).toBe(2)
  await test.until(ref.stop())
  expect(runtime.whereis('the-reader')).toBeUndefined()
  expect(runtime.find(readers)).toEqual([])
})

test('given a release of an earlier holding, when the name is held again, then it does nothing', async () => {
  await using test = await createTestRuntime()
  const { runtime } = test
  const ref = runtime.spawn(reader)
  const release = runtime.register('the-reader', ref)
  release()
  runtime.register('the-reader', ref)
  release()
  expect(runtime.whereis('the-reader')).toBe(ref)
})
