import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, type AnyDefinition } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { createActor } from 'xstate'
import { durableHost } from '../../src/actors/durable/host.ts'
import { durability } from '../../src/actors/durable/options.ts'
import { HandlerLogic } from '../../src/actors/handler-logic.ts'
import { rootHost } from '../../src/actors/root-host.ts'
import { startDurable } from './durable-runtime.ts'
import { describeHandlerHost } from './host-contract.ts'

const start = (): Promise<TestRuntime> => createTestRuntime()

describeHandlerHost({
  name: 'lean',
  on: (definition) => definition,
  canResume: true,
  keepsState: false,
  start,
  except: {},
})

// XState's root actor would do: design.md lets the cell choose, and no behaviour may tell which.
describeHandlerHost({
  name: 'XState root',
  on: <D extends AnyDefinition>(definition: D): D => ({ ...definition, host: rootHost }),
  canResume: false, // XState's actor is over when its logic has thrown
  keepsState: false,
  start,
  except: {},
})

describeHandlerHost({
  name: 'durable',
  on: <D extends AnyDefinition>(definition: D): D => {
    const { name, logic } = definition
    if (!(logic instanceof HandlerLogic)) throw new Error('the contract has handlers only')
    return { ...definition, durable: durability(name, true), host: durableHost(logic) }
  },
  canResume: true,
  keepsState: true,
  start: startDurable,
  except: {
    'given the answer after the handler is done, then it still arrives': 'its state is data, and no way to answer',
    'given stateOnRestart snapshot, then the next incarnation has the last state before the failure':
      'it is refused: a durable actor comes back from its journal',
    'given a state function that throws, then the start fails with its error as the cause':
      'its state is made when it has been brought back, after its start',
    'given a reentrant actor, then handlers interleave and a function of the state loses nothing':
      'it is refused: a replay could not tell its messages apart',
    'given a repeating timer, when time passes, then it ticks until it is cancelled':
      'a timer that a signal sets is of its incarnation, and no message can cancel it',
    'given a child that crashes and is not watched, then the parent crashes with it':
      'the handler of a message may not spawn: a replay would do it again',
    'given XState’s waitFor, when the state is reached, then it resolves with that snapshot':
      'it has no state before it has been brought back',
    'given a killed handler, when it goes on, then each of its effects is counted and discarded':
      'spawn and watch are refused in its handlers',
  },
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
