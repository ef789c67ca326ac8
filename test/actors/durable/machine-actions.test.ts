import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, message, question, supervisor, type ActorContext, type RefOf } from 'echelon'
import { assign, fromPromise } from 'xstate'
import { Lab } from './machine-lab.ts'

/* What actions of a durable chart may do to the world: it happens once the turn is on disk, and not in a replay. */

const path = '/durable/chart/c'

const protocol = {
  go: message(),
  note: message({ text: z.string() }),
  wait: message(),
  open: message(),
  look: question({}, z.string()),
}

const inbox = defineActor({
  name: 'inbox',
  protocol: { mail: message({ text: z.string() }) },
  state: (): readonly string[] => [],
  on: { mail: ({ state, message: { text } }) => [...state, text] },
})

const diary = defineActor({
  name: 'diary',
  durable: true,
  protocol: { write: message(), pages: question({}, z.int()) },
  state: () => 0,
  on: {
    write: ({ state }) => state + 1,
    pages: ({ state, reply }) => {
      reply(state)
    },
  },
})

describe('durable messages and crashes', () => {
  describe.each(['done', 'over'])('given a durable message to another on the way to a state that is %s', (target) => {
    const writer = defineActor({
      name: 'writer',
      durable: { passivateAfterMs: 1000 },
      protocol: { go: message() },
      machine: ({ setup, act }) =>
        setup({}).createMachine({
          initial: 'idle',
          states: {
            idle: {
              on: {
                go: { target, actions: act(({ get }) => get(diary, 'd').tell({ type: 'write' }, { durable: true })) },
              },
            },
            done: {},
            over: { type: 'final' },
          },
        }),
    })
    const cuts = [1, 2, 3, 4, 5, 6].flatMap((append) => [true, false].map((written) => ({ append, written })))

    test.each(cuts)(
      'when the process dies at append $append (written: $written), then it is handled once',
      async (cut) => {
        const lab = new Lab()
        const first = await lab.start({ definitions: [writer, diary] }, { cut })
        first.runtime
          .get(writer, 'w')
          .tell({ type: 'go' }, { durable: true, id: 'go' })
          .catch(() => undefined)
        await first.settle()
        const second = await lab.start({ definitions: [writer, diary] })
        const told = second.runtime.get(writer, 'w').tell({ type: 'go' }, { durable: true, id: 'go' })
        // One that is over takes nothing any more.
        told.catch(() => undefined)
        await second.advance(10_000)
        expect(await second.until(second.runtime.get(diary, 'd').ask({ type: 'pages' }))).toBe(1)
        expect(await lab.wakeAtMs('/durable/writer/w')).toBe(null)
        expect(second.runtime.ref('/durable/writer/w')).toBeUndefined()
        expect(second.runtime.inDoubt).toEqual([])
      },
    )
  })

  test('given a receiver that is there later than its sender, then what a crash left unsent comes all the same', async () => {
    const lab = new Lab()
    const writer = defineActor({
      name: 'writer',
      durable: true,
      protocol: { go: message() },
      machine: ({ setup, act }) =>
        setup({}).createMachine({
          on: { go: { actions: act(({ lookup }) => lookup(diary).tell({ type: 'write' }, { durable: true })) } },
        }),
    })
    const app = supervisor('app', { children: [writer, diary] })
    const first = await lab.start({ root: app }, { cut: { append: 2, written: true } })
    first.runtime.ref('/app/writer', writer)?.tell({ type: 'go' })
    await first.settle()
    expect(lab.isDead).toBe(true)
    const second = await lab.start({ root: app })
    await second.advance(10_000)
    expect(
      await second.until(
        second.runtime.ref('/app/diary', diary)?.ask({ type: 'pages' }) ?? Promise.reject(new Error('no diary')),
      ),
    ).toBe(1)
  })

  test('given a chart that is done and still has to send, when it is stopped meanwhile, then it ends at once', async () => {
    const lab = new Lab()
    const writer = defineActor({
      name: 'writer',
      durable: true,
      protocol: { go: message() },
      machine: ({ setup, act }) =>
        setup({}).createMachine({
          initial: 'idle',
          states: {
            idle: {
              on: {
                go: {
                  target: 'over',
                  actions: act(({ get }) => get(diary, 'd').tell({ type: 'write' }, { durable: true })),
                },
              },
            },
            over: { type: 'final' },
          },
        }),
    })
    const first = await lab.start({ definitions: [writer] }, { cut: { append: 2, written: true } })
    first.runtime.get(writer, 'w').tell({ type: 'go' })
    await first.settle()
    const second = await lab.start({ definitions: [writer] })
    await second.advance(1000)
    const stopMs = second.clock.now()
    await second.until(second.runtime.get(writer, 'w').stop())
    expect(second.clock.now() - stopMs).toBeLessThan(100)
    expect(await lab.wakeAtMs('/durable/writer/w')).not.toBe(null)
    const third = await lab.start({ definitions: [writer, diary] })
    await third.advance(1000)
    expect(await third.until(third.runtime.get(diary, 'd').ask({ type: 'pages' }))).toBe(1)
  })

  test('given a receiver that nobody knows any more, then it is tried for some minutes, and then given up', async () => {
    const lab = new Lab()
    const writer = defineActor({
      name: 'writer',
      durable: { passivateAfterMs: 1000 },
      protocol: { go: message() },
      machine: ({ setup, act }) =>
        setup({}).createMachine({
          on: { go: { actions: act(({ get }) => get(diary, 'd').tell({ type: 'write' }, { durable: true })) } },
        }),
    })
    const first = await lab.start({ definitions: [writer] }, { cut: { append: 2, written: true } })
    first.runtime.get(writer, 'w').tell({ type: 'go' })
    await first.settle()
    const second = await lab.start({ definitions: [writer] })
    const failed: unknown[] = []
    second.runtime.on('observer-failed', ({ observer, error }) => failed.push([observer, error]))
    await second.advance(600_000)
    expect(failed).toMatchObject([
      ['durable message of /durable/writer/w to /durable/diary/d', { code: 'TARGET_DOWN' }],
    ])
    expect(await lab.wakeAtMs('/durable/writer/w')).toBe(null)
    expect(second.runtime.ref('/durable/writer/w')).toBeUndefined()
  })
})

describe.each(['gives back', 'leaves alone'] as const)('given a durable message whose promise the action %s', (how) => {
  type Act = (actor: Pick<ActorContext, 'get'>) => Promise<void>
  const start = async (write: Act) => {
    const writer = defineActor({
      name: 'writer',
      durable: true,
      protocol: { go: message(), end: message(), crash: message() },
      machine: ({ setup, act }) =>
        setup({}).createMachine({
          initial: 'on',
          states: { on: { on: { end: 'over' } }, over: { type: 'final' } },
          on: {
            go: {
              actions: act((actor) => {
                const told = write(actor)
                return how === 'gives back' ? told : undefined
              }),
            },
            crash: {
              actions: () => {
                throw new Error('crash')
              },
            },
          },
        }),
    })
    const lab = new Lab()
    const t = await lab.start({ definitions: [writer] })
    const said: unknown[] = []
    t.runtime.on('observer-failed', ({ observer, error }) => said.push([observer, error]))
    const failed: unknown[] = []
    t.runtime.on('failed', ({ error }) => failed.push(error))
    const ref = t.runtime.get(writer, 'w')
    return { lab, t, writer, ref, said, failed, go: () => t.until(ref.tell({ type: 'go' }, { durable: true })) }
  }

  /** It has room for one, and is at its first message until the gate opens. */
  const busy = (gate: Promise<void>) =>
    defineActor({
      name: 'busy',
      durable: true,
      mailbox: { capacity: 1 },
      protocol: { write: message({ text: z.string() }), pages: question({}, z.int()) },
      state: () => 0,
      on: {
        write: async ({ state }) => {
          await gate
          return state + 1
        },
        pages: ({ state, reply }) => {
          reply(state)
        },
      },
    })

  test('when the receiver has no room for a while, then each is handled once', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const receiver = busy(gate)
    const { t, said, failed, go } = await start(({ get }) =>
      get(receiver, 'b').tell({ type: 'write', text: '' }, { durable: true }),
    )
    for (let count = 0; count < 8; count += 1) await go()
    await t.advance(10_000)
    open()
    await t.advance(120_000)
    expect(await t.until(t.runtime.get(receiver, 'b').ask({ type: 'pages' }))).toBe(8)
    expect([said, failed]).toEqual([[], []])
  })

  test.each(['end', 'crash', 'stop', 'shutdown'] as const)(
    'when the receiver has no room for a while, and the chart comes to its %s meanwhile, then each is handled once',
    async (what) => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const receiver = busy(gate)
      const { lab, t, writer, ref, said, go } = await start(({ get }) =>
        get(receiver, 'b').tell({ type: 'write', text: '' }, { durable: true }),
      )
      for (let count = 0; count < 4; count += 1) await go()
      await t.advance(500)
      if (what === 'shutdown') void t.runtime.shutdown()
      else if (what === 'stop') await t.until(ref.stop())
      else ref.tell({ type: what })
      await t.advance(10_000)
      open()
      const last = what === 'shutdown' ? await lab.start({ definitions: [writer, receiver] }) : t
      await last.advance(60_000)
      expect(await last.until(last.runtime.get(receiver, 'b').ask({ type: 'pages' }))).toBe(4)
      expect(said).toEqual([])
      expect(await lab.wakeAtMs('/durable/writer/w')).toBe(null)
    },
  )

  test('when the receiver never has room, then it is given up after some minutes, and that is said', async () => {
    const { promise: gate } = Promise.withResolvers<void>()
    const receiver = busy(gate)
    const { lab, t, said, failed, go } = await start(({ get }) =>
      get(receiver, 'b').tell({ type: 'write', text: '' }, { durable: true }),
    )
    for (let count = 0; count < 3; count += 1) await go()
    await t.advance(120_000)
    expect(said).toEqual([])
    await t.advance(480_000)
    expect(said).toMatchObject([['durable message of /durable/writer/w to /durable/busy/b', { code: 'MAILBOX_FULL' }]])
    expect(failed).toEqual([])
    expect(await lab.wakeAtMs('/durable/writer/w')).toBe(null)
  })

  test('when the receiver can never take it, then that is said at once', async () => {
    const receiver = busy(Promise.resolve())
    const { lab, t, said, failed, go } = await start(({ get }) =>
      get(receiver, 'b').tell({ type: 'write', text: 1 } as never, { durable: true }),
    )
    await go()
    await t.advance(10)
    expect(said).toMatchObject([
      ['durable message of /durable/writer/w to /durable/busy/b', { code: 'MESSAGE_INVALID' }],
    ])
    expect(failed).toEqual([])
    expect(await lab.wakeAtMs('/durable/writer/w')).toBe(null)
  })

  test('when it is no data, then that is said, and is the failure of whoever has the promise', async () => {
    const receiver = busy(Promise.resolve())
    const { t, said, failed, go } = await start(({ get }) =>
      get(receiver, 'b').tell({ type: 'write', text: () => 1 } as never, { durable: true }),
    )
    await go()
    await t.advance(10)
    const reason = { code: 'NOT_SERIALIZABLE' }
    if (how === 'gives back') expect(failed).toMatchObject([reason])
    else expect(said).toMatchObject([['durable message of /durable/writer/w to /durable/busy/b', reason]])
  })
})

describe.each([
  ['a message', 'go'],
  ['a delayed event', 'wait'],
  ['the end of what it invoked', 'open'],
] as const)('actions of a transition for %s', (_, type) => {
  /** It does `action` when it is told `go`, 100 ms after it is told `wait`, or when what `open` invokes is done. */
  const acting = (act: string, runs: string[], mail: RefOf<typeof inbox>) =>
    defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, act: acts, reply, stash, postpone, unstashAll }) => {
        const actions = {
          tell: acts((actor, { event }) => {
            runs.push(`${actor.path} ${event.type}`)
            mail.tell({ type: 'mail', text: 'hello' })
          }),
          reply: reply(() => 'answer' as never),
          stash,
          postpone,
          unstashAll,
          spawn: acts((actor) => actor.spawn(inbox)),
          watch: acts((actor) => {
            actor.watch(actor.self)
          }),
          timer: acts((actor) => {
            actor.timers.after('x', 5, { type: 'go' })
          }),
          effect: acts((actor) => actor.effect('x', () => 1)),
          ask: acts((actor) => actor.self.ask({ type: 'look' })),
          stop: acts((actor) => {
            actor.stop()
          }),
        } as const
        const action = actions[act as keyof typeof actions] as never
        return setup({
          types: { context: {} as { readonly done: number } },
          actors: { work: fromPromise(() => Promise.resolve(1)) },
        }).createMachine({
          context: { done: 0 },
          initial: 'idle',
          states: {
            idle: {
              on: { go: { target: 'done', actions: action }, wait: 'waiting', open: 'working' },
            },
            waiting: { after: { 100: { target: 'done', actions: action } } },
            working: { invoke: { src: 'work', onDone: { target: 'done', actions: action } } },
            done: { entry: assign({ done: ({ context }) => context.done + 1 }) },
          },
          on: { look: { actions: reply(({ self }) => JSON.stringify(self.getSnapshot().value)) } },
        })
      },
    })

  const start = async (act: string) => {
    const lab = new Lab()
    const runs: string[] = []
    const t = await lab.start()
    const mail = t.runtime.spawn(inbox)
    const chart = acting(act, runs, mail)
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    const ref = t.runtime.get(chart, 'c')
    ref.tell({ type })
    await t.advance(100)
    return { lab, runs, chart, t, problems, mail, ref }
  }

  test('given act, then it has its actor, what it tells is told once, and a replay does not act again', async () => {
    const { lab, runs, chart, mail, problems, ref } = await start('tell')
    expect(problems).toEqual([])
    expect(mail.snapshot.context).toEqual(['hello'])
    expect(ref.snapshot).toMatchObject({ value: 'done', context: { done: 1 } })
    const t = await lab.start()
    expect(await t.until(t.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('"done"')
    expect(runs).toHaveLength(1)
  })

  test('given a durable message to another, then it is sent once the transition is on disk, and once', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, act }) => {
        const write = async ({ get }: Pick<ActorContext, 'get'>): Promise<void> => {
          await get(diary, 'd').tell({ type: 'write' }, { durable: true })
        }
        return setup({ actors: { work: fromPromise(() => Promise.resolve(1)) } }).createMachine({
          initial: 'idle',
          states: {
            idle: { on: { go: { target: 'done', actions: act(write) }, wait: 'waiting', open: 'working' } },
            waiting: { after: { 100: { target: 'done', actions: act(write) } } },
            working: { invoke: { src: 'work', onDone: { target: 'done', actions: act(write) } } },
            done: {},
          },
        })
      },
    })
    for (let process = 0; process < 3; process += 1) {
      const t = await lab.start({ definitions: [chart, diary] })
      if (process === 0) t.runtime.get(chart, 'c').tell({ type })
      else t.runtime.get(chart, 'c').subscribe(() => undefined)
      await t.advance(100)
      expect(await t.until(t.runtime.get(diary, 'd').ask({ type: 'pages' }))).toBe(1)
    }
  })

  test('given stop, then the chart ends normally, and is there again when it is asked', async () => {
    const { lab, chart, problems } = await start('stop')
    expect(problems).toEqual([])
    const t = await lab.start()
    expect(await t.until(t.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('"done"')
  })

  test.each([
    ['spawn', 'NOT_REPLAYABLE'],
    ['watch', 'NOT_REPLAYABLE'],
    ['timer', 'NOT_REPLAYABLE'],
    ['reply', 'REPLY_MISUSED'],
  ])(
    'given %s, then it is refused by name, the event is given up, and the state is the one before',
    async (act, code) => {
      const { lab, problems, chart } = await start(act)
      expect(problems[0]).toMatchObject({ code })
      const t = await lab.start({ definitions: [chart] })
      const again: unknown[] = []
      t.runtime.on('failed', ({ error }) => again.push(error))
      const value = { go: '"idle"', wait: '"waiting"', open: '"working"' }[type]
      if (type === 'open') {
        // The end that it could not take is lost with its process: it is told that what it invoked was interrupted.
        t.runtime.get(chart, 'c').subscribe(() => undefined)
        await t.settle()
        expect(again[0]).toMatchObject({ code: 'INTERRUPTED' })
        return
      }
      expect(await t.until(t.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe(value)
      expect(again).toEqual([])
    },
  )

  test.each(['ask', 'effect'])(
    'given %s, which no replay could give again, then that is the failure of the chart',
    async (act) => {
      const { problems } = await start(act)
      expect(problems[0]).toMatchObject({ code: 'NOT_REPLAYABLE' })
    },
  )
})

describe('setting aside', () => {
  const gate = (how: 'stash' | 'postpone', opensBy: 'message' | 'delay' | 'end') =>
    defineActor({
      name: 'chart',
      durable: { snapshotEvery: { entries: 4 } },
      protocol,
      machine: ({ setup, stash, postpone, unstashAll, reply }) => {
        const open = { target: 'open', actions: how === 'stash' ? [unstashAll] : [] } as const
        return setup({
          types: { context: {} as { readonly seen: readonly string[] } },
          actors: { work: fromPromise(() => Promise.resolve(1)) },
        }).createMachine({
          context: { seen: [] },
          initial: 'shut',
          states: {
            shut: {
              on: {
                note: { actions: how === 'stash' ? stash : postpone },
                ...(opensBy === 'message' ? { open } : { open: 'opening' }),
              },
            },
            opening: {
              on: { note: { actions: how === 'stash' ? stash : postpone } },
              ...(opensBy === 'delay' ? { after: { 100: open } } : { invoke: { src: 'work', onDone: open } }),
            },
            open: {
              on: { note: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.text] }) } },
            },
          },
          on: { look: { actions: reply(({ context }) => context.seen.join()) } },
        })
      },
    })

  const cases = (['stash', 'postpone'] as const).flatMap((how) =>
    (['message', 'delay', 'end'] as const).flatMap((by) => [true, false].map((durable) => [how, by, durable] as const)),
  )

  test.each(cases)(
    'given messages under %s until a %s lets them in (durable: %s), then they come in their order',
    async (how, by, isDurable) => {
      const lab = new Lab()
      const chart = gate(how, by)
      const t = await lab.start()
      const problems: unknown[] = []
      t.runtime.on('failed', ({ error }) => problems.push(error))
      const ref = t.runtime.get(chart, 'c')
      for (const text of ['a', 'b', 'c']) {
        if (isDurable) await t.until(ref.tell({ type: 'note', text }, { durable: true }))
        else ref.tell({ type: 'note', text })
      }
      ref.tell({ type: 'open' })
      await t.advance(100)
      expect(problems).toEqual([])
      expect(await t.until(ref.ask({ type: 'look' }))).toBe('a,b,c')
      const again = await lab.start()
      expect(await again.until(again.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('a,b,c')
    },
  )

  test.each(['stash', 'postpone'] as const)(
    'given durable messages under %s and a process that ends, then they are not lost, and none comes twice',
    async (how) => {
      const lab = new Lab()
      const chart = gate(how, 'message')
      for (const text of ['a', 'b', 'c']) {
        const t = await lab.start({ definitions: [chart] })
        await t.until(t.runtime.get(chart, 'c').tell({ type: 'note', text }, { durable: true }))
      }
      const last = await lab.start({ definitions: [chart] })
      await last.until(last.runtime.get(chart, 'c').tell({ type: 'open' }, { durable: true }))
      expect(await last.until(last.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('a,b,c')
      const again = await lab.start({ definitions: [chart] })
      expect(await again.until(again.runtime.get(chart, 'c').ask({ type: 'look' }))).toBe('a,b,c')
      expect(await lab.wakeAtMs(path)).toBe(null)
    },
  )

  test('given a question that is set aside, then it is answered once it is let in', async () => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, postpone, reply }) =>
        setup({}).createMachine({
          initial: 'shut',
          states: {
            shut: { on: { look: { actions: postpone }, open: 'open' } },
            open: { on: { look: { actions: reply(() => 'open') } } },
          },
        }),
    })
    const t = await lab.start()
    const ref = t.runtime.get(chart, 'c')
    const asked = ref.ask({ type: 'look' })
    ref.tell({ type: 'open' })
    expect(await t.until(asked)).toBe('open')
  })

  test('given a message that is set aside, then what was told in its transition is told all the same', async () => {
    const lab = new Lab()
    const t = await lab.start()
    const mail = t.runtime.spawn(inbox)
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, act, stash }) =>
        setup({}).createMachine({
          on: {
            go: {
              actions: [
                act(() => {
                  mail.tell({ type: 'mail', text: 'later' })
                }),
                stash,
              ],
            },
          },
        }),
    })
    t.runtime.get(chart, 'c').tell({ type: 'go' })
    await t.settle()
    expect(mail.snapshot.context).toEqual(['later'])
  })

  test.each(['stash', 'postpone'] as const)(
    'given a durable message that is told in the transition of a %s, then that is refused by name, and nothing is sent',
    async (how) => {
      const chart = defineActor({
        name: 'chart',
        durable: true,
        protocol,
        machine: ({ setup, act, stash, postpone }) => {
          return setup({}).createMachine({
            on: {
              go: {
                actions: [
                  act(({ get }) => get(diary, 'd').tell({ type: 'write' }, { durable: true })),
                  how === 'stash' ? stash : postpone,
                ],
              },
            },
          })
        },
      })
      const lab = new Lab()
      for (let process = 0; process < 2; process += 1) {
        const t = await lab.start({ definitions: [chart, diary] })
        const problems: unknown[] = []
        t.runtime.on('failed', ({ error }) => problems.push(error))
        if (process === 0) await t.until(t.runtime.get(chart, 'c').tell({ type: 'go' }, { durable: true }))
        await t.advance(1000)
        expect(problems).toMatchObject(process === 0 ? [{ code: 'NOT_REPLAYABLE' }] : [])
        expect(await t.until(t.runtime.get(diary, 'd').ask({ type: 'pages' }))).toBe(0)
      }
    },
  )

  test.each([
    ['a transition that changes the state', 'go'],
    ['a delayed event', 'wait'],
    ['the end of what it invoked', 'open'],
  ] as const)('given %s, when it is set aside, then that is refused by name', async (_, type) => {
    const lab = new Lab()
    const chart = defineActor({
      name: 'chart',
      durable: true,
      protocol,
      machine: ({ setup, stash }) =>
        setup({ actors: { work: fromPromise(() => Promise.resolve(1)) } }).createMachine({
          initial: 'idle',
          states: {
            idle: { on: { go: { target: 'gone', actions: stash }, wait: 'waiting', open: 'working' } },
            waiting: { after: { 100: { actions: stash } } },
            working: { invoke: { src: 'work', onDone: { actions: stash } } },
            gone: {},
          },
        }),
    })
    const t = await lab.start()
    const problems: unknown[] = []
    t.runtime.on('failed', ({ error }) => problems.push(error))
    t.runtime.get(chart, 'c').tell({ type })
    await t.advance(100)
    expect(problems[0]).toMatchObject({ code: 'NOT_REPLAYABLE' })
  })
})

describe('answers', () => {
  const counter = defineActor({
    name: 'chart',
    durable: true,
    protocol: { next: question({}, z.int()) },
    machine: ({ setup, reply }) =>
      setup({ types: { context: {} as { readonly count: number } } }).createMachine({
        context: { count: 0 },
        on: {
          next: {
            actions: [assign({ count: ({ context }) => context.count + 1 }), reply(({ context }) => context.count)],
          },
        },
      }),
  })

  test.each([1, 2, 3].flatMap((append) => [true, false].map((written) => ({ append, written }))))(
    'given a process that dies at append $append (written: $written), then an answer that was given is on disk, and numbers ascend',
    async (cut) => {
      const lab = new Lab()
      const answers: number[] = []
      for (const options of [{ cut }, {}]) {
        const t = await lab.start({}, options)
        for (let at = 0; at < 3; at += 1) {
          t.runtime
            .get(counter, 'c')
            .ask({ type: 'next' })
            .then(
              (answer) => answers.push(answer),
              () => undefined,
            )
          await t.settle()
        }
      }
      expect(answers).toEqual([...new Set(answers)].toSorted((a, b) => a - b))
      expect(answers.length).toBeGreaterThanOrEqual(3)
    },
  )
})

test('given a new chart whose first message is a durable one, then its first state is entered, with its actions', async () => {
  const lab = new Lab()
  const entered: string[] = []
  const chart = defineActor({
    name: 'chart',
    durable: true,
    protocol,
    machine: ({ setup }) =>
      setup({ actors: { work: fromPromise(() => Promise.resolve(1)) } }).createMachine({
        initial: 'idle',
        states: {
          idle: { entry: () => entered.push('idle'), invoke: { src: 'work', onDone: 'worked' }, on: { go: 'gone' } },
          worked: { entry: () => entered.push('worked'), on: { go: 'gone' } },
          gone: {},
        },
      }),
  })
  const t = await lab.start()
  const ref = t.runtime.get(chart, 'c')
  await t.until(ref.tell({ type: 'note', text: '' }, { durable: true }))
  await t.settle()
  expect([entered, ref.snapshot.value]).toEqual([['idle', 'worked'], 'worked'])
  expect((await lab.entries(path)).map(({ kind }) => kind)).toEqual(['created', 'received', 'handled', 'handled'])
})
