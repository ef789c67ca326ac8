import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, exits, message, question, type AnyDefinition, type AnyRef } from 'echelon'
import type { TestRuntime } from 'echelon/testing'
import { assign, fromCallback, fromPromise } from 'xstate'

/* The contract of host-contract.ts, as far as it applies to charts: what a cell promises, whatever its logic is. */

const protocol = {
  add: message({ by: z.int() }),
  crash: message(),
  quit: message(),
  finish: message(),
  total: question({}, z.int()),
  wrongAnswer: question({}, z.int()),
}

const counter = defineActor({
  name: 'counter',
  protocol,
  machine: ({ setup, reply, act }) =>
    setup({ types: { context: {} as { total: number } } }).createMachine({
      context: { total: 0 },
      initial: 'counting',
      states: { counting: { on: { finish: 'finished' } }, finished: { type: 'final' } },
      on: {
        add: { actions: assign({ total: ({ context, event }) => context.total + event.by }) },
        crash: {
          actions: () => {
            throw new Error('boom')
          },
        },
        quit: {
          actions: act((actor) => {
            actor.stop()
          }),
        },
        total: { actions: reply(({ context }) => context.total) },
        wrongAnswer: { actions: reply(() => 0.5) },
      },
    }),
})

/** A host of charts, as the contract sees it. */
export interface ChartHost {
  readonly name: string
  /** The same definition, hosted here. */
  readonly on: <D extends AnyDefinition>(definition: D) => D
  /** Whether the next incarnation has the state of the last, from its journal. */
  readonly keepsState: boolean
  readonly start: () => Promise<TestRuntime>
  /** Rules that it cannot keep, with the reason why. */
  readonly except: Readonly<Record<string, string>>
}

/** What an actor with a chart does, whichever host runs it. */
export function describeChartHost({ name, on, keepsState, start, except }: ChartHost): void {
  const rule = (title: string, run: () => Promise<void>): void => {
    if (except[title] === undefined) test(title, run)
  }

  describe(`charts under the ${name} host`, () => {
    describe('messages, questions, failures, signals, children, timers', () => {
      rule('given messages, then each finds the context that the one before left', async () => {
        await using t = await start()
        const ref = t.runtime.spawn(on(counter))
        for (const by of [1, 2, 3]) ref.tell({ type: 'add', by })
        const total = ref.ask({ type: 'total' })
        await t.settle()
        expect(await total).toBe(6)
      })

      rule('given an answer that the schema refuses, then asker and chart fail', async () => {
        await using t = await start()
        const ref = t.runtime.spawn(on(counter))
        const refused = expect(ref.ask({ type: 'wrongAnswer' })).rejects.toMatchObject({ code: 'ANSWER_INVALID' })
        await t.settle()
        await refused
        expect(ref.incarnation).toBe(2)
      })

      test.each(keepsState ? (['replay'] as const) : (['fresh', 'snapshot'] as const))(
        'given a crash and %s, then the next incarnation begins there',
        async (stateOnRestart) => {
          await using t = await start()
          const ref = t.runtime.spawn(on(counter), { stateOnRestart, keepMailbox: true })
          ref.tell({ type: 'add', by: 5 })
          ref.tell({ type: 'crash' })
          const total = ref.ask({ type: 'total' })
          await t.settle()
          expect(await total).toBe(stateOnRestart === 'fresh' ? 0 : 5)
          expect(ref.incarnation).toBe(2)
          expect(t.runtime.deadLetters.recent()).toMatchObject([{ reason: 'crashed', message: { type: 'crash' } }])
        },
      )

      test.each([
        ['finish', 'normal', 'done'],
        ['quit', 'normal', 'done'],
        ['crash', 'crash', 'error'],
      ] as const)('given an end by %s, then its exit is %s and its snapshot %s', async (type, kind, status) => {
        await using t = await start()
        const ref = t.runtime.spawn(on(counter), { restart: 'temporary' })
        ref.tell({ type: 'add', by: 1 })
        ref.tell({ type })
        ref.tell({ type: 'add', by: 1 })
        await t.settle()
        expect((await ref.exited).kind).toBe(kind)
        expect(ref.snapshot).toMatchObject({ status, context: { total: 1 } })
        expect(t.runtime.deadLetters.byReason.get('stopped')).toBe(1)
      })

      rule('given a message that no state handles, then nothing happens; a question fails at once', async () => {
        await using t = await start()
        const deaf = defineActor({
          name: 'deaf',
          protocol: { note: message(), ask: question({}, z.int()) },
          machine: ({ setup }) => setup({}).createMachine({ initial: 'idle', states: { idle: {} } }),
        })
        const ref = t.runtime.spawn(on(deaf))
        ref.tell({ type: 'note' })
        const refused = expect(ref.ask({ type: 'ask' })).rejects.toMatchObject({ code: 'MESSAGE_UNHANDLED' })
        await t.settle()
        await refused
        expect([ref.incarnation, t.clock.pending]).toEqual([1, 0])
      })

      rule('given transitions for the signals, then they are taken', async () => {
        await using t = await start()
        const seen: string[] = []
        const target = t.runtime.spawn(on(counter), { restart: 'temporary' })
        const watcher = defineActor({
          name: 'watcher',
          protocol: { watch: message({ ref: z.custom<AnyRef>() }) },
          machine: ({ setup, act }) =>
            setup({}).createMachine({
              on: {
                watch: { actions: act((actor, { event }) => void actor.watch(event.ref)) },
                'actor.down': { actions: ({ event }) => seen.push(`down ${event.reason.kind}`) },
              },
            }),
        })
        const ref = t.runtime.spawn(on(watcher))
        ref.tell({ type: 'watch', ref: target })
        await t.settle()
        target.kill()
        await t.settle()
        expect(seen).toEqual(['down killed'])
        expect(ref.incarnation).toBe(1)
      })

      rule(
        'given no transition for actor.down, then * does not take it: the chart crashes with DEATH_PACT',
        async () => {
          await using t = await start()
          const target = t.runtime.spawn(on(counter), { restart: 'temporary' })
          const careless = defineActor({
            name: 'careless',
            protocol: { watch: message({ ref: z.custom<AnyRef>() }) },
            machine: ({ setup, act }) =>
              setup({}).createMachine({
                on: { watch: { actions: act((actor, { event }) => void actor.watch(event.ref)) }, '*': {} },
              }),
          })
          const ref = t.runtime.spawn(on(careless), { restart: 'temporary' })
          ref.tell({ type: 'watch', ref: target })
          await t.settle()
          target.kill()
          await t.settle()
          expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'DEATH_PACT' } })
        },
      )

      rule('given a child that a chart spawned, then it stops with it, and its crash is the chart’s', async () => {
        await using t = await start()
        const parent = defineActor({
          name: 'parent',
          protocol: { go: message(), crashChild: message() },
          machine: ({ setup, act }) =>
            setup({}).createMachine({
              on: {
                go: { actions: act((actor) => actor.spawn(on(counter), { name: 'child' })) },
                crashChild: {
                  actions: act((actor) => {
                    actor.spawn(on(counter)).tell({ type: 'crash' })
                  }),
                },
              },
            }),
        })
        const ref = t.runtime.spawn(on(parent), { restart: 'temporary' })
        ref.tell({ type: 'go' })
        await t.settle()
        expect(t.runtime.ref(`${ref.path}/child`)?.isRunning).toBe(true)
        ref.tell({ type: 'crashChild' })
        await t.settle()
        expect(await ref.exited).toMatchObject({ kind: 'crash', error: { code: 'DEATH_PACT' } })
        expect(t.runtime.ref(`${ref.path}/child`)).toBeUndefined()
        expect(t.runtime.stats.actors).toBe(1)
      })

      rule('given after, when the chart ends before, then nothing of it is left', async () => {
        await using t = await start()
        const seen: string[] = []
        const lamp = defineActor({
          name: 'lamp',
          protocol: {},
          machine: ({ setup }) =>
            setup({}).createMachine({
              initial: 'on',
              states: { on: { after: { 100: 'off' } }, off: { entry: () => seen.push('off') } },
            }),
        })
        const ref = t.runtime.spawn(on(lamp))
        await t.advance(99)
        ref.kill()
        await t.settle()
        await t.advance(99) // the next incarnation has its own
        expect(seen).toEqual([])
        await t.advance(1)
        expect(seen).toEqual(['off'])
        expect(t.clock.pending).toBe(0)
      })

      rule(
        'given a tick of after that is due while a stop waits for children, then the chart may still take it, and not after its end',
        async () => {
          await using t = await start()
          const seen: string[] = []
          const slow = defineActor({
            name: 'slow',
            protocol: {},
            on: { 'actor.stopping': () => new Promise<void>(() => undefined) },
          })
          const chart = defineActor({
            name: 'chart',
            protocol: { go: message() },
            machine: ({ setup, act }) =>
              setup({}).createMachine({
                initial: 'idle',
                states: {
                  idle: { on: { go: { target: 'busy', actions: act((actor) => actor.spawn(on(slow))) } } },
                  busy: { after: { 10_000: { actions: () => seen.push('late') } } },
                },
              }),
          })
          const ref = t.runtime.spawn(on(chart))
          ref.tell({ type: 'go' })
          await t.settle()
          void ref.stop({ timeoutMs: 100 })
          await t.advance(20_000)
          expect(seen).toEqual([])
          expect(await ref.exited).toEqual(exits.killed)
        },
      )
    })

    describe('stop, kill, zombies', () => {
      rule(
        'given an invoked promise, when the chart is killed, then what it still does is counted and discarded',
        async () => {
          await using t = await start()
          const gate = Promise.withResolvers<void>()
          const other = t.runtime.spawn(on(counter))
          const seen: string[] = []
          const chart = defineActor({
            name: 'chart',
            protocol: {},
            machine: ({ setup }) =>
              setup({
                actors: {
                  work: fromPromise(async ({ signal }) => {
                    await gate.promise
                    seen.push(signal.aborted ? 'aborted' : 'not aborted')
                    other.tell({ type: 'add', by: 1 })
                  }),
                },
              }).createMachine({ invoke: { src: 'work', onDone: { actions: () => seen.push('done') } } }),
          })
          const ref = t.runtime.spawn(on(chart), { restart: 'temporary' })
          await t.settle()
          ref.kill()
          gate.resolve()
          await t.settle()
          expect(seen).toEqual(['aborted'])
          expect(other.snapshot.context.total).toBe(0)
          expect(t.runtime.stats.zombieEffects).toBe(1)
        },
      )

      rule(
        'given an invoked callback, when the chart stops, then it is cleaned up before anybody learns of the end',
        async () => {
          await using t = await start()
          const seen: string[] = []
          const chart = defineActor({
            name: 'chart',
            protocol: {},
            machine: ({ setup }) =>
              setup({ actors: { listen: fromCallback(() => () => seen.push('cleaned up')) } }).createMachine({
                invoke: { src: 'listen' },
              }),
          })
          const ref = t.runtime.spawn(on(chart))
          ref.watch(({ reason }) => seen.push(`down ${reason.kind}`))
          await t.settle()
          void ref.stop()
          await t.settle()
          expect(seen).toEqual(['cleaned up', 'down shutdown'])
        },
      )

      rule(
        'given an action that kills its own chart, then later actions of that transition have no effect',
        async () => {
          await using t = await start()
          const other = t.runtime.spawn(on(counter))
          const chart = defineActor({
            name: 'chart',
            protocol: { die: message() },
            machine: ({ setup, act }) =>
              setup({}).createMachine({
                initial: 'alive',
                states: {
                  alive: {
                    on: {
                      die: {
                        target: 'dead',
                        actions: [
                          act((actor) => {
                            actor.self.kill()
                          }),
                          () => {
                            other.tell({ type: 'add', by: 1 })
                          },
                        ],
                      },
                    },
                  },
                  dead: {},
                },
              }),
          })
          const ref = t.runtime.spawn(on(chart), { restart: 'temporary' })
          ref.tell({ type: 'die' })
          await t.settle()
          expect(other.snapshot.context.total).toBe(0)
          expect(t.runtime.stats.zombieEffects).toBeGreaterThan(0)
          expect(ref.snapshot).toMatchObject({ status: 'stopped', value: 'alive' })
        },
      )

      rule('given act with a promise that rejects, then that is the chart’s failure', async () => {
        await using t = await start()
        const chart = defineActor({
          name: 'chart',
          protocol: { go: message() },
          machine: ({ setup, act }) =>
            setup({}).createMachine({ on: { go: { actions: act(() => Promise.reject(new Error('later'))) } } }),
        })
        const ref = t.runtime.spawn(on(chart), { restart: 'temporary' })
        ref.tell({ type: 'go' })
        await t.settle()
        expect(await ref.exited).toMatchObject({ kind: 'crash', error: { message: 'later' } })
        expect(t.runtime.deadLetters.count).toBe(0) // the message was handled
      })
    })
  })
}
