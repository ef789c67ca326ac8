import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, exits, message, question, type AnyDefinition, type DownSignal } from 'echelon'
import type { TestRuntime } from 'echelon/testing'
import { waitFor } from 'xstate'

/** A host of handler logic, as the contract sees it. */
export interface HandlerHost {
  readonly name: string
  /** The same definition, hosted here. */
  readonly on: <D extends AnyDefinition>(definition: D) => D
  /** Whether an actor can go on with the state that it had before a handler failed. */
  readonly canResume: boolean
  /** Whether the next incarnation has the state of the last, from its journal. */
  readonly keepsState: boolean
  readonly start: () => Promise<TestRuntime>
  /** Rules that it cannot keep, with the reason why. */
  readonly except: Readonly<Record<string, string>>
}

/** What handlers wait for, by the name that a message has for it: messages are data. */
const gates = new Map<string, Promise<void>>()
const gateOf = (promise: Promise<void>): string => {
  const name = `gate ${gates.size}`
  gates.set(name, promise)
  return name
}

const counterProtocol = {
  'counter.add': message({ by: z.int() }),
  'counter.addLater': message({ by: z.int(), gate: z.string() }),
  'counter.crash': message(),
  'counter.crashLater': message({ gate: z.string() }),
  'counter.total': question({}, z.int()),
  'counter.wrongAnswer': question({}, z.int()),
  'counter.silence': question({}, z.int()),
}

const counter = defineActor({
  name: 'counter',
  protocol: counterProtocol,
  state: () => ({ total: 0 }),
  on: {
    'counter.add': ({ state, message: { by } }) => ({ total: state.total + by }),
    'counter.addLater': async ({ state, message: { by, gate } }) => {
      await gates.get(gate)
      return { total: state.total + by }
    },
    'counter.crash': () => {
      throw new Error('boom')
    },
    'counter.crashLater': async ({ message: { gate } }) => {
      await gates.get(gate)
      throw new Error('late boom')
    },
    'counter.total': ({ state, reply }) => {
      reply(state.total)
    },
    'counter.wrongAnswer': ({ reply }) => {
      // What untyped code may do.
      reply('many' as unknown as number)
    },
    'counter.silence': () => undefined,
  },
})

/** What an actor of plain handlers does, whichever host runs them. */
export function describeHandlerHost({ name, on, canResume, keepsState, start, except }: HandlerHost): void {
  const rule = (title: string, run: () => Promise<void>): void => {
    if (except[title] === undefined) test(title, run)
  }

  describe(`handlers under the ${name} host`, () => {
    describe('messages and state', () => {
      rule('given messages, when they are told, then each finds the state that the one before left', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter))
        for (const by of [1, 2, 3]) ref.tell({ type: 'counter.add', by })
        const total = ref.ask({ type: 'counter.total' })
        await test.settle()
        expect(await total).toBe(6)
        expect(ref.snapshot).toMatchObject({ status: 'active', context: { total: 6 } })
      })

      rule(
        'given a handler that returns nothing, when it ran, then state and snapshot are the same objects',
        async () => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter))
          await test.settle()
          const before = ref.snapshot
          const asked = ref.ask({ type: 'counter.total' })
          await test.settle()
          await asked
          expect(ref.snapshot).toBe(before)
        },
      )

      rule('given a handler that returns a function, then it is applied to the current state', async () => {
        await using test = await start()
        const doubler = defineActor({
          name: 'doubler',
          protocol: { double: message() },
          state: () => 3,
          on: { double: () => (current: number) => current * 2 },
        })
        const ref = test.runtime.spawn(on(doubler))
        ref.tell({ type: 'double' })
        ref.tell({ type: 'double' })
        await test.settle()
        expect(ref.snapshot.context).toBe(12)
      })

      rule('given an input, when it starts, then state and handlers see it as its schema gives it', async () => {
        await using test = await start()
        const greeter = defineActor({
          name: 'greeter',
          protocol: { greet: question({}, z.string()) },
          input: z.object({ name: z.string().trim() }),
          state: ({ input }) => input.name.length,
          on: {
            greet: ({ input, state, reply }) => {
              reply(`${input.name} ${state}`)
            },
          },
        })
        const ref = test.runtime.spawn(on(greeter), { input: { name: ' Ada ' } })
        const greeting = ref.ask({ type: 'greet' })
        await test.settle()
        expect(await greeting).toBe('Ada 3')
      })

      rule('given a payload that its schema changes, then the handler sees what the schema gives', async () => {
        await using test = await start()
        const seen: unknown[] = []
        const reader = defineActor({
          name: 'reader',
          protocol: { read: message({ at: z.string().trim(), limit: z.int().default(10) }) },
          on: {
            read: ({ message: { at, limit } }) => {
              seen.push([at, limit])
            },
          },
        })
        const ref = test.runtime.spawn(on(reader))
        ref.tell({ type: 'read', at: ' here ' })
        await test.settle()
        expect(seen).toEqual([['here', 10]])
      })
    })

    describe('asks', () => {
      rule('given an answer that the schema refuses, then asker and answerer fail', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter))
        const asked = ref.ask({ type: 'counter.wrongAnswer' })
        const refused = expect(asked).rejects.toMatchObject({ code: 'ANSWER_INVALID' })
        await test.settle()
        await refused
        expect(ref.incarnation).toBe(2)
      })

      rule(
        'given a handler that never answers, when the time is up, then the ask fails and the actor goes on',
        async () => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter))
          const refused = expect(ref.ask({ type: 'counter.silence' }, { timeoutMs: 50 })).rejects.toMatchObject({
            code: 'ASK_TIMEOUT',
          })
          await test.advance(49)
          ref.tell({ type: 'counter.add', by: 1 })
          await test.advance(1)
          await refused
          expect(ref.snapshot.context).toEqual({ total: 1 })
        },
      )

      rule('given the answer after the handler is done, then it still arrives', async () => {
        await using test = await start()
        const later = defineActor({
          name: 'later',
          protocol: { ask: question({}, z.string()), answer: message() },
          state: (): { answer: ((text: string) => void) | undefined } => ({ answer: undefined }),
          on: {
            ask: ({ reply }) => ({ answer: reply }),
            answer: ({ state }) => {
              state.answer?.('at last')
            },
          },
        })
        const ref = test.runtime.spawn(on(later))
        const asked = ref.ask({ type: 'ask' })
        await test.settle()
        ref.tell({ type: 'answer' })
        await test.settle()
        expect(await asked).toBe('at last')
      })

      rule('given a refusal, then the asker gets that very error and the actor goes on', async () => {
        await using test = await start()
        const problem = new Error('not today')
        const refuser = defineActor({
          name: 'refuser',
          protocol: { ask: question({}, z.string()) },
          on: {
            ask: ({ refuse }) => {
              refuse(problem)
            },
          },
        })
        const ref = test.runtime.spawn(on(refuser))
        const refused = expect(ref.ask({ type: 'ask' })).rejects.toBe(problem)
        await test.settle()
        await refused
        expect(ref.incarnation).toBe(1)
      })
    })

    describe('failures', () => {
      test.each([
        ['a handler that throws', { type: 'counter.crash' } as const, 'boom'],
        [
          'a handler that rejects',
          { type: 'counter.crashLater', gate: gateOf(Promise.resolve()) } as const,
          'late boom',
        ],
      ])(
        `given %s, when it has, then the actor crashes, its message is a dead letter, and its next incarnation ${keepsState ? 'has the state before it' : 'is fresh'}`,
        async (_, bad, text) => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter))
          ref.tell({ type: 'counter.add', by: 5 })
          await test.settle()
          const { exited } = ref
          const downs: string[] = []
          ref.watch(({ reason }) => downs.push(reason.kind))
          ref.tell(bad)
          await test.settle()
          expect(await exited).toMatchObject({ kind: 'crash', error: { message: text } })
          expect(downs).toEqual(['crash'])
          expect(test.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: bad.type } }])
          expect(ref.incarnation).toBe(2)
          expect(ref.snapshot.context).toEqual({ total: keepsState ? 5 : 0 })
        },
      )

      rule(
        'given messages behind the one that fails, then they are dead letters, as with a process that died',
        async () => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter))
          ref.tell({ type: 'counter.crash' })
          ref.tell({ type: 'counter.add', by: 1 })
          await test.settle()
          expect(test.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual(['crashed', 'stopped'])
          expect(ref.snapshot.context).toEqual({ total: 0 })
        },
      )

      rule('given keepMailbox, then what waits reaches the next incarnation', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter), { keepMailbox: true })
        ref.tell({ type: 'counter.crash' })
        ref.tell({ type: 'counter.add', by: 1 })
        const total = ref.ask({ type: 'counter.total' })
        await test.settle()
        expect(await total).toBe(1)
        expect(ref.incarnation).toBe(2)
      })

      rule(
        'given stateOnRestart snapshot, then the next incarnation has the last state before the failure',
        async () => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter), { stateOnRestart: 'snapshot' })
          ref.tell({ type: 'counter.add', by: 4 })
          ref.tell({ type: 'counter.crash' })
          await test.settle()
          ref.tell({ type: 'counter.add', by: 1 })
          await test.settle()
          expect(ref.incarnation).toBe(2)
          expect(ref.snapshot).toMatchObject({ status: 'active', context: { total: 5 } })
        },
      )

      rule(
        `given the directive resume, then it ${canResume ? 'goes on with its state' : 'is restarted: this host cannot'}`,
        async () => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter), { decide: () => 'resume' })
          ref.tell({ type: 'counter.add', by: 1 })
          ref.tell({ type: 'counter.crash' })
          await test.settle()
          expect(ref.incarnation).toBe(canResume ? 1 : 2)
          expect(ref.snapshot.context).toEqual({ total: canResume || keepsState ? 1 : 0 })
        },
      )

      rule('given a state function that throws, then the start fails with its error as the cause', async () => {
        await using test = await start()
        const cause = new Error('no state')
        const broken = defineActor({
          name: 'broken',
          protocol: {},
          state: () => {
            throw cause
          },
          on: {},
        })
        expect(() => test.runtime.spawn(on(broken))).toThrow(expect.objectContaining({ code: 'START_FAILED', cause }))
        await test.settle()
        expect(test.runtime.ref('/user/broken-1')).toBeUndefined()
      })

      rule('given an update function that throws, then it is a crash with its message as a dead letter', async () => {
        await using test = await start()
        const broken = defineActor({
          name: 'broken',
          protocol: { now: message(), later: message() },
          state: () => 0,
          on: {
            now: () => () => {
              throw new Error('update')
            },
            later: async () => {
              await Promise.resolve()
              return () => {
                throw new Error('late update')
              }
            },
          },
        })
        const ref = test.runtime.spawn(on(broken))
        ref.tell({ type: 'now' })
        await test.settle()
        expect(ref.incarnation).toBe(2)
        ref.tell({ type: 'later' })
        await test.settle()
        expect(ref.incarnation).toBe(3)
        expect(test.runtime.deadLetters.recent().map(({ reason, message: letter }) => [reason, letter])).toEqual([
          ['crashed', { type: 'now' }],
          ['crashed', { type: 'later' }],
        ])
      })
    })

    describe('async handlers', () => {
      rule(
        'given an async handler that waits, then the next message waits too, and asks see the state after it',
        async () => {
          await using test = await start()
          const gate = Promise.withResolvers<void>()
          const ref = test.runtime.spawn(on(counter))
          ref.tell({ type: 'counter.addLater', by: 1, gate: gateOf(gate.promise) })
          ref.tell({ type: 'counter.add', by: 10 })
          const total = ref.ask({ type: 'counter.total' })
          await test.settle()
          expect(ref.snapshot.context).toEqual({ total: 0 })
          gate.resolve()
          await test.settle()
          expect(await total).toBe(11)
        },
      )

      rule('given a reentrant actor, then handlers interleave and a function of the state loses nothing', async () => {
        await using test = await start()
        const [slow, quick] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        const reentrant = on(
          defineActor({
            name: 'reentrant',
            protocol: { add: message({ by: z.int(), gate: z.string() }) },
            state: () => 0,
            reentrant: true,
            on: {
              add: async ({ message: { by, gate } }) => {
                await gates.get(gate)
                return (total: number) => total + by
              },
            },
          }),
        )
        const ref = test.runtime.spawn(reentrant)
        ref.tell({ type: 'add', by: 1, gate: gateOf(slow.promise) })
        ref.tell({ type: 'add', by: 10, gate: gateOf(quick.promise) })
        await test.settle()
        quick.resolve()
        await test.settle()
        expect(ref.snapshot.context).toBe(10)
        slow.resolve()
        await test.settle()
        expect(ref.snapshot.context).toBe(11)
      })
    })

    describe('stash and postpone', () => {
      const door = defineActor({
        name: 'door',
        protocol: { open: message(), pass: message({ who: z.string() }), look: message() },
        state: (): { open: boolean; passed: readonly string[] } => ({ open: false, passed: [] }),
        on: {
          open: ({ state, unstashAll }) => {
            unstashAll()
            return { ...state, open: true }
          },
          pass: ({ state, message: { who }, stash }) => {
            if (state.open) return { ...state, passed: [...state.passed, who] }
            stash()
            return undefined
          },
          look: () => undefined,
        },
      })

      rule('given stashed messages, when they are unstashed, then they come first, in their order', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(door))
        for (const who of ['a', 'b']) ref.tell({ type: 'pass', who })
        ref.tell({ type: 'open' })
        ref.tell({ type: 'pass', who: 'c' })
        await test.settle()
        expect(ref.snapshot.context.passed).toEqual(['a', 'b', 'c'])
      })

      rule('given a postponed message, when the state changes, then it comes again, and not before', async () => {
        await using test = await start()
        const tries: boolean[] = []
        const patient = defineActor({
          name: 'patient',
          protocol: { open: message(), enter: message(), look: message() },
          state: () => ({ open: false }),
          on: {
            open: () => ({ open: true }),
            enter: ({ state, postpone }) => {
              tries.push(state.open)
              if (!state.open) postpone()
            },
            look: () => undefined,
          },
        })
        const ref = test.runtime.spawn(on(patient))
        ref.tell({ type: 'enter' })
        ref.tell({ type: 'look' })
        await test.settle()
        expect(tries).toEqual([false])
        ref.tell({ type: 'open' })
        await test.settle()
        expect(tries).toEqual([false, true])
      })

      rule('given an async handler that postpones, then it is not tried again before the state changes', async () => {
        await using test = await start()
        let tries = 0
        const patient = defineActor({
          name: 'patient',
          protocol: { open: message(), enter: message() },
          state: () => ({ open: false }),
          on: {
            open: () => ({ open: true }),
            enter: async ({ state, postpone }) => {
              tries += 1
              await Promise.resolve()
              if (!state.open) postpone()
            },
          },
        })
        const ref = test.runtime.spawn(on(patient))
        ref.tell({ type: 'enter' })
        await test.settle()
        expect(tries).toBe(1)
        ref.tell({ type: 'open' })
        await test.settle()
        expect(tries).toBe(2)
      })

      rule('given an async handler that changes nothing, then subscribers are not told', async () => {
        await using test = await start()
        const idle = defineActor({
          name: 'idle',
          protocol: { wait: message() },
          state: () => 0,
          on: {
            wait: async () => {
              await Promise.resolve()
            },
          },
        })
        const ref = test.runtime.spawn(on(idle))
        await test.settle()
        const before = ref.snapshot
        ref.tell({ type: 'wait' })
        await test.settle()
        expect(ref.snapshot).toBe(before)
      })

      rule(
        'given more stashed than the bound, then the actor crashes with STASH_FULL and nothing is silent',
        async () => {
          await using test = await start()
          const hoarder = defineActor({
            name: 'hoarder',
            protocol: { keep: message() },
            mailbox: { stashCapacity: 2 },
            on: {
              keep: ({ stash }) => {
                stash()
              },
            },
          })
          const ref = test.runtime.spawn(on(hoarder))
          const { exited } = ref
          for (let i = 0; i < 3; i += 1) ref.tell({ type: 'keep' })
          await test.settle()
          expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'STASH_FULL' } })
          expect(test.runtime.deadLetters.recent().map(({ reason }) => reason)).toEqual([
            'crashed',
            'stopped',
            'stopped',
          ])
        },
      )
    })

    describe('timers', () => {
      const clockwork = defineActor({
        name: 'clockwork',
        protocol: { tick: message(), stop: message(), crash: message() },
        state: () => ({ ticks: 0 }),
        on: {
          'actor.started': ({ timers }) => {
            timers.every('tick', 10, { type: 'tick' })
          },
          tick: ({ state }) => ({ ticks: state.ticks + 1 }),
          stop: ({ timers }) => {
            timers.cancel('tick')
          },
          crash: () => {
            throw new Error('boom')
          },
        },
      })

      rule('given a repeating timer, when time passes, then it ticks until it is cancelled', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(clockwork))
        await test.advance(35)
        expect(ref.snapshot.context.ticks).toBe(3)
        ref.tell({ type: 'stop' })
        await test.advance(100)
        expect(ref.snapshot.context.ticks).toBe(3)
        expect(test.clock.pending).toBe(0)
      })

      rule('given a crash, then the timers of the old incarnation are gone and the new one has its own', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(clockwork))
        await test.advance(15)
        ref.tell({ type: 'crash' })
        await test.advance(9)
        const before = keepsState ? 1 : 0
        expect(ref.snapshot.context.ticks).toBe(before)
        await test.advance(1)
        expect(ref.snapshot.context.ticks).toBe(before + 1)
        expect(test.clock.pending).toBe(1)
      })
    })

    describe('watching, children, signals', () => {
      rule('given a watched actor that ends, then actor.down comes once, with the reason', async () => {
        await using test = await start()
        const downs: unknown[] = []
        const target = test.runtime.spawn(on(counter), { restart: 'temporary' })
        const watcher = defineActor({
          name: 'watcher',
          protocol: {},
          on: {
            'actor.started': ({ watch }) => {
              watch(target)
            },
            'actor.down': ({ message: { ref, reason } }: { message: DownSignal }) => {
              downs.push([ref.path, reason.kind])
            },
          },
        })
        test.runtime.spawn(on(watcher))
        await test.settle()
        target.tell({ type: 'counter.crash' })
        await test.settle()
        expect(downs).toEqual([['/user/counter-1', 'crash']])
      })

      rule(
        'given the signals, then started comes before the first message and stopping last, and both may wait',
        async () => {
          await using test = await start()
          const seen: string[] = []
          const polite = defineActor({
            name: 'polite',
            protocol: { work: message() },
            on: {
              'actor.started': async () => {
                await Promise.resolve()
                seen.push('started')
              },
              work: () => {
                seen.push('work')
              },
              'actor.stopping': async ({ message: { reason } }) => {
                await Promise.resolve()
                seen.push(`stopping: ${reason.kind}`)
              },
            },
          })
          const ref = test.runtime.spawn(on(polite))
          ref.tell({ type: 'work' })
          await test.settle()
          const stopped = ref.stop()
          await test.settle()
          expect(await stopped).toEqual(exits.shutdown())
          expect(seen).toEqual(['started', 'work', 'stopping: shutdown'])
        },
      )

      rule('given a child, when the parent stops, then the child has stopped before it', async () => {
        await using test = await start()
        const { actors } = test.runtime.stats
        const seen: string[] = []
        const inner = defineActor({
          name: 'inner',
          protocol: {},
          on: {
            'actor.stopping': () => {
              seen.push('child')
            },
          },
        })
        const parent = defineActor({
          name: 'parent',
          protocol: {},
          on: {
            'actor.started': ({ spawn }) => {
              spawn(on(inner), { name: 'inner' })
            },
            'actor.stopping': () => {
              seen.push('parent')
            },
          },
        })
        const ref = test.runtime.spawn(on(parent))
        await test.settle()
        void ref.stop()
        await test.settle()
        expect(seen).toEqual(['child', 'parent'])
        expect(test.runtime.stats.actors).toBe(actors)
      })

      rule('given a child that crashes and is not watched, then the parent crashes with it', async () => {
        await using test = await start()
        const parent = defineActor({
          name: 'parent',
          protocol: { go: message() },
          on: {
            go: ({ spawn }) => {
              spawn(on(counter)).tell({ type: 'counter.crash' })
            },
          },
        })
        const ref = test.runtime.spawn(on(parent))
        const { exited } = ref
        ref.tell({ type: 'go' })
        await test.settle()
        expect(await exited).toMatchObject({ kind: 'crash', error: { code: 'DEATH_PACT' } })
      })
    })

    describe('snapshots', () => {
      rule('given a subscriber, then it sees each new snapshot and the end', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter), { restart: 'temporary' })
        // One that has to be brought back has its first snapshot later.
        await test.settle()
        const seen: unknown[] = []
        ref.subscribe({
          next: ({ context }) => seen.push(context.total),
          error: (error) => seen.push(error),
          complete: () => seen.push('complete'),
        })
        ref.tell({ type: 'counter.add', by: 1 })
        ref.tell({ type: 'counter.add', by: 2 })
        await test.settle()
        void ref.stop()
        await test.settle()
        expect(seen).toEqual([1, 3, 'complete'])
      })

      rule('given a crash, then subscribers get its error, also those that come after it', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter), { restart: 'temporary' })
        const seen: unknown[] = []
        const error = (problem: unknown): void => void seen.push((problem as Error).message)
        ref.subscribe({ error })
        ref.tell({ type: 'counter.crash' })
        await test.settle()
        ref.subscribe({ error })
        expect(seen).toEqual(['boom', 'boom'])
      })

      test.each([
        ['crash', { status: 'error', error: { message: 'boom' }, context: { total: 1 } }],
        ['stop', { status: 'stopped', context: { total: 1 } }],
        ['kill', { status: 'stopped', context: { total: 1 } }],
      ])(
        'given an actor that ended by %s, then its snapshot keeps the last state and says how',
        async (how, expected) => {
          await using test = await start()
          const ref = test.runtime.spawn(on(counter), { restart: 'temporary' })
          ref.tell({ type: 'counter.add', by: 1 })
          await test.settle()
          if (how === 'crash') ref.tell({ type: 'counter.crash' })
          else if (how === 'stop') void ref.stop()
          else ref.kill()
          await test.settle()
          expect(ref.snapshot).toMatchObject(expected)
          expect(ref.isRunning).toBe(false)
        },
      )

      rule('given XState’s waitFor, when the state is reached, then it resolves with that snapshot', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter))
        const reached = waitFor(ref, ({ context }) => context.total >= 2)
        ref.tell({ type: 'counter.add', by: 1 })
        ref.tell({ type: 'counter.add', by: 1 })
        await test.settle()
        expect((await reached).context.total).toBe(2)
      })

      rule('given a persisted snapshot, then restoring it gives it back', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter))
        ref.tell({ type: 'counter.add', by: 7 })
        await test.settle()
        const persisted: unknown = JSON.parse(JSON.stringify(ref.getPersistedSnapshot()))
        expect(persisted).toMatchObject({ status: 'active', context: { total: 7 } })
      })
    })

    describe('stop, kill, zombies', () => {
      rule(
        'given a message that is being handled, when it is stopped, then that one is finished and the rest is not',
        async () => {
          await using test = await start()
          const gate = Promise.withResolvers<void>()
          const ref = test.runtime.spawn(on(counter))
          ref.tell({ type: 'counter.addLater', by: 1, gate: gateOf(gate.promise) })
          ref.tell({ type: 'counter.add', by: 10 })
          await test.settle()
          const stopped = ref.stop()
          await test.settle()
          expect(ref.isRunning).toBe(true)
          gate.resolve()
          await test.settle()
          expect(await stopped).toEqual(exits.shutdown())
          expect(ref.snapshot.context).toEqual({ total: 1 })
          expect(test.runtime.deadLetters.recent()).toMatchObject([{ reason: 'stopped', message: { by: 10 } }])
        },
      )

      rule('given a handler that does not end, when the stop time is up, then it is killed', async () => {
        await using test = await start()
        const ref = test.runtime.spawn(on(counter))
        ref.tell({ type: 'counter.addLater', by: 1, gate: gateOf(new Promise(() => undefined)) })
        await test.settle()
        const stopped = ref.stop({ timeoutMs: 100 })
        await test.advance(99)
        expect(ref.isRunning).toBe(true)
        await test.advance(1)
        expect(await stopped).toEqual(exits.killed)
        expect(test.runtime.deadLetters.recent()).toMatchObject([
          { reason: 'stopped', message: { type: 'counter.addLater' } },
        ])
      })

      rule('given a killed handler, when it goes on, then each of its effects is counted and discarded', async () => {
        await using test = await start()
        const gate = Promise.withResolvers<void>()
        const seen: string[] = []
        const effects: string[] = []
        test.runtime.on('zombie-effect', ({ effect }) => effects.push(effect))
        const other = test.runtime.spawn(on(counter))
        const zombie = defineActor({
          name: 'zombie',
          protocol: { go: question({}, z.int()), late: message() },
          state: () => 0,
          on: {
            go: async ({ reply, spawn, timers, stop, watch, stash, postpone, unstashAll, signal }) => {
              await gate.promise
              seen.push(signal.aborted ? 'aborted' : 'not aborted')
              other.tell({ type: 'counter.add', by: 1 })
              reply(1)
              timers.after('late', 1, { type: 'late' })
              watch(other)
              stash()
              postpone()
              unstashAll()
              stop()
              for (const effect of [() => spawn(on(counter)), () => other.ask({ type: 'counter.total' })]) {
                try {
                  await effect()
                } catch (error) {
                  seen.push((error as { code: string }).code)
                }
              }
              return 7
            },
            late: () => undefined,
          },
        })
        const ref = test.runtime.spawn(on(zombie), { restart: 'temporary' })
        const asked = ref.ask({ type: 'go' })
        const refused = expect(asked).rejects.toMatchObject({ code: 'TARGET_DOWN', reason: { kind: 'killed' } })
        await test.settle()
        ref.kill()
        await refused
        gate.resolve()
        await test.settle()
        expect(seen).toEqual(['aborted', 'FENCED', 'FENCED'])
        expect(effects).toEqual([
          'tell',
          'reply',
          'timer',
          'watch',
          'stash',
          'postpone',
          'unstash',
          'stop',
          'spawn',
          'ask',
          'state',
        ])
        expect(test.runtime.stats.zombieEffects).toBe(effects.length)
        expect(ref.snapshot).toMatchObject({ status: 'stopped', context: 0 })
        expect(other.snapshot.context).toEqual({ total: 0 })
        expect(test.clock.pending).toBe(0)
      })

      rule('given a restart after a kill, then nothing of the old incarnation reaches the new one', async () => {
        await using test = await start()
        const gate = Promise.withResolvers<void>()
        const ref = test.runtime.spawn(on(counter))
        ref.tell({ type: 'counter.addLater', by: 1, gate: gateOf(gate.promise) })
        await test.settle()
        ref.kill()
        await test.settle()
        expect(ref.incarnation).toBe(2)
        gate.resolve()
        await test.settle()
        expect(ref.snapshot.context).toEqual({ total: 0 })
        expect(test.runtime.stats.zombieEffects).toBe(1)
      })

      rule('given a handler that kills its own actor, then what it returns is discarded', async () => {
        await using test = await start()
        let runs = 0
        const suicidal = defineActor({
          name: 'suicidal',
          protocol: { die: message() },
          state: () => 0,
          on: {
            die: ({ self }) => {
              runs += 1
              self.kill()
              return 1
            },
          },
        })
        const ref = test.runtime.spawn(on(suicidal), { restart: 'temporary' })
        ref.tell({ type: 'die' })
        await test.settle()
        expect(ref.snapshot).toMatchObject({ status: 'stopped', context: 0 })
        expect(runs).toBe(1)
        expect(await ref.exited).toEqual(exits.killed)
      })

      rule(
        'given an actor that stops itself, then it ends normally after that message and is not restarted',
        async () => {
          await using test = await start()
          const quitter = defineActor({
            name: 'quitter',
            protocol: { quit: message() },
            state: () => 0,
            on: {
              quit: ({ stop, state }) => {
                stop()
                return state + 1
              },
            },
          })
          const ref = test.runtime.spawn(on(quitter))
          ref.tell({ type: 'quit' })
          ref.tell({ type: 'quit' })
          await test.settle()
          expect(await ref.exited).toEqual(exits.normal)
          expect(ref.snapshot).toMatchObject({ status: 'done', context: 1 })
        },
      )
    })
  })
}
