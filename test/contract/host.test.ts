import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type AnyDefinition } from 'echelon'
import { createActor } from 'xstate'
import { rootHost } from '../../src/actors/root-host.ts'
import { describeHandlerHost } from './host-contract.ts'

describeHandlerHost({ name: 'lean', on: (definition) => definition, canResume: true })

// XState's root actor would do: design.md lets the cell choose, and no behaviour may tell which.
describeHandlerHost({
  name: 'XState root',
  on: <D extends AnyDefinition>(definition: D): D => ({ ...definition, host: rootHost }),
  canResume: false, // XState's actor is over when its logic has thrown
})

describe('handlers under a bare createActor', () => {
  const counter = defineActor({
    name: 'counter',
    protocol: { add: message({ by: z.int() }), total: question({}, z.int()), wait: message() },
    input: z.int(),
    state: ({ input }) => input,
    on: {
      add: ({ state, message: { by } }) => state + by,
      total: ({ state, reply }) => {
        reply(state)
      },
      wait: async () => {
        await Promise.resolve()
      },
    },
  })

  test('given messages, when they are sent, then they change the state', () => {
    const actor = createActor(counter.logic, { input: 1 }).start()
    actor.send({ type: 'add', by: 2 })
    actor.send({ type: 'of no one' })
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: 3 })
  })

  test.each(['total', 'wait'])('given %s, which needs a runtime, then it says so', (type) => {
    const actor = createActor(counter.logic, { input: 1 })
    const errors: unknown[] = []
    actor.subscribe({ error: (error) => errors.push(error) })
    actor.start()
    actor.send({ type })
    expect(errors).toMatchObject([{ code: 'NOT_HOSTED' }])
  })

  test('given its persisted snapshot, when another starts from it, then it goes on there', () => {
    const first = createActor(counter.logic, { input: 1 }).start()
    first.send({ type: 'add', by: 1 })
    const second = createActor(counter.logic, { snapshot: first.getPersistedSnapshot(), input: 0 }).start()
    second.send({ type: 'add', by: 1 })
    expect(second.getSnapshot()).toMatchObject({ context: 3 })
  })
})
