import { describe, expect, test } from 'vitest'
import { defineActor, exits, message, type AnyDefinition } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { fromCallback, setup } from 'xstate'

describe('a stop that fails', () => {
  const throws = (text: string) => (): never => {
    throw new Error(text)
  }
  const protocol = { go: message() }
  const source = fromCallback(() => throws('callback'))
  const cases: readonly (readonly [string, AnyDefinition, readonly string[]])[] = [
    ['a callback', defineActor({ name: 'a', protocol, logic: source }), ['callback']],
    [
      'a callback that a chart invoked',
      defineActor({
        name: 'a',
        protocol,
        machine: () => setup({ actors: { source } }).createMachine({ invoke: { src: 'source' } }),
      }),
      ['callback'],
    ],
    [
      'callbacks that a chart below invoked',
      defineActor({
        name: 'a',
        protocol,
        machine: () => {
          const inner = setup({ actors: { source } }).createMachine({
            invoke: [
              { src: 'source', id: 'one' },
              { src: 'source', id: 'two' },
            ],
          })
          return setup({ actors: { inner } }).createMachine({ invoke: { src: 'inner' } })
        },
      }),
      ['callback', 'callback'],
    ],
  ]

  test.each(cases)(
    'given %s whose stop throws, when the actor is stopped, then that is an event',
    async (_, definition, texts) => {
      await using t = await createTestRuntime()
      const failed: unknown[] = []
      t.runtime.on('failed', ({ path, incarnation, error }) =>
        failed.push([path, incarnation, (error as Error).message]),
      )
      const ref = t.runtime.spawn(definition, { name: 'a' })
      await t.settle()

      const stopping = ref.stop()
      await t.settle()
      await stopping

      expect(failed.toSorted()).toEqual(texts.map((text) => [ref.path, 1, text]))
      expect(await ref.exited).toEqual(exits.shutdown())
      expect(t.runtime.stats.zombieEffects).toBe(0)
    },
  )

  test('given a chart whose exit action throws at its final state, then that is its crash', async () => {
    const leaving = setup({}).createMachine({
      initial: 'here',
      states: { here: { on: { go: 'gone' } }, gone: { type: 'final' } },
      exit: throws('exit'),
    })
    await using t = await createTestRuntime()
    const ref = t.runtime.spawn(defineActor({ name: 'a', protocol, machine: () => leaving }), { restart: 'temporary' })
    const failed: unknown[] = []
    t.runtime.on('failed', ({ error }) => failed.push((error as Error).message))

    ref.tell({ type: 'go' })
    await t.settle()

    expect(failed).toEqual(['exit'])
    expect(await ref.exited).toMatchObject({ kind: 'crash', error: { message: 'exit' } })
  })
})
