import { assign } from 'xstate'
import * as z from 'zod'
import { defineActor, message, question, type EffectRun } from 'echelon'
import { wait } from '../support/programs.ts'
import { keyOf, type JobState, type Progress } from './facts.ts'
import type { Outside } from './outside.ts'

const step = { client: z.string(), n: z.int().positive() }
const progressSchema = z.object({ last: z.record(z.string(), z.number()), problems: z.array(z.string()) })
const nothing: Progress = { last: {}, problems: [] }

/** Counts an operation: those of each client have to come one after another, each once. */
export function follow(progress: Progress, client: string, n: number): Progress {
  const before = progress.last[client] ?? 0
  const last = { ...progress.last, [client]: Math.max(n, before) }
  if (n === before + 1) return { last, problems: progress.problems }
  return blame(
    { ...progress, last },
    `${keyOf(client, n)} came ${n <= before ? 'twice' : 'too early'}: after ${before}`,
  )
}

const blame = <P extends Progress>(progress: P, problem: string): P => ({
  ...progress,
  problems: [...progress.problems, problem].slice(-10),
})

const asProgress = ({ last, problems }: Progress): z.output<typeof progressSchema> => ({
  last: { ...last },
  problems: [...problems],
})

/** Takes durable messages, and counts them. Leaves memory as soon as it can. */
export const account = defineActor({
  name: 'account',
  durable: { snapshotEvery: { entries: 20 }, passivateAfterMs: 15 },
  protocol: { 'account.add': message(step), 'account.read': question({}, progressSchema) },
  state: () => nothing,
  on: {
    'account.add': ({ state, message: { client, n } }) => follow(state, client, n),
    'account.read': ({ state, reply }) => {
      reply(asProgress(state))
    },
  },
})

/** Passes everything on to another durable actor, by messages to which it gives no id. */
export const relay = defineActor({
  name: 'relay',
  durable: { snapshotEvery: { entries: 30 } },
  protocol: {
    'relay.pass': question(step, z.literal('passed')),
    'relay.push': message(step),
    'relay.read': question({}, progressSchema),
  },
  state: () => nothing,
  on: {
    'relay.pass': async ({ state, message: { client, n }, get, reply }) => {
      // Who got no answer asks again.
      if ((state.last[client] ?? 0) >= n) {
        reply('passed')
        return state
      }
      await get(account, 'relayed').tell({ type: 'account.add', client, n }, { durable: true })
      reply('passed')
      return follow(state, client, n)
    },
    'relay.push': async ({ state, message: { client, n }, get }) => {
      await get(account, 'relayed').tell({ type: 'account.add', client, n }, { durable: true })
      return follow(state, client, n)
    },
    'relay.read': ({ state, reply }) => {
      reply(asProgress(state))
    },
  },
})

type AlarmState = Progress & { readonly due: Readonly<Record<string, number>> }

/** Sets a timer for each message, and sees to it that each rings once and not too early. */
export const alarm = defineActor({
  name: 'alarm',
  durable: { snapshotEvery: { entries: 25 } },
  protocol: {
    'alarm.set': message({ ...step, delayMs: z.number() }),
    'alarm.ring': message(step),
    'alarm.read': question({}, progressSchema),
    'alarm.waiting': question({}, z.int()),
  },
  state: (): AlarmState => ({ ...nothing, due: {} }),
  on: {
    'alarm.set': ({ state, message: { client, n, delayMs }, timers, clock }) => {
      timers.after(keyOf(client, n), delayMs, { type: 'alarm.ring', client, n })
      const due = { ...state.due, [keyOf(client, n)]: clock.wallNow() + delayMs }
      return { ...state, ...follow(state, client, n), due }
    },
    'alarm.ring': ({ state, message: { client, n }, clock }) => {
      const { [keyOf(client, n)]: dueMs, ...due } = state.due
      if (dueMs === undefined) return blame(state, `timer ${keyOf(client, n)} rang twice`)
      const rung = { ...state, due }
      return clock.wallNow() >= dueMs ? rung : blame(rung, `timer ${keyOf(client, n)} rang too early`)
    },
    'alarm.read': ({ state, reply }) => {
      reply(asProgress(state))
    },
    'alarm.waiting': ({ state, reply }) => {
      reply(Object.keys(state.due).length)
    },
  },
})

/** Results longer than this are kept beside the entries. */
const inlineResultBytes = 200

/** Some effects take no time, others some; some act before, others after; some come to much. */
async function act(outside: Outside, key: string, n: number, idempotent: boolean, run: EffectRun): Promise<string> {
  const filling = n % 5 === 0 ? ' '.repeat(2 * inlineResultBytes) : ''
  const pause = n % 3 === 0 ? 0 : n % 4
  if (n % 2 === 0) await wait(pause)
  const value = outside.run(key, run.idempotencyKey, idempotent, filling)
  if (n % 2 === 1 && pause > 0) await wait(pause)
  return value
}

/** Every other effect may be done again. */
export const isIdempotent = (n: number): boolean => n % 4 < 2

interface OrderState {
  readonly receipts: Readonly<Record<string, string>>
  readonly problems: readonly string[]
}

/** Answers by effects, and remembers all answers. */
export const orderOf = (outside: Outside) =>
  defineActor({
    name: 'order',
    durable: { snapshotEvery: { entries: 30 }, inlineResultBytes },
    protocol: { 'order.pay': question(step, z.string()), 'order.read': question({}, progressSchema) },
    state: (): OrderState => ({ receipts: {}, problems: [] }),
    on: {
      'order.pay': async ({ state, message: { client, n }, effect, reply }) => {
        const key = keyOf(client, n)
        const idempotent = isIdempotent(n)
        const value = await effect(key, (run) => act(outside, key, n, idempotent, run), { idempotent })
        reply(value)
        const before = state.receipts[key]
        if (before === value) return undefined
        const problems = before === undefined ? state.problems : [...state.problems, `${key} came to two outcomes`]
        return { receipts: { ...state.receipts, [key]: value }, problems }
      },
      'order.read': ({ state, reply }) => {
        reply({ last: {}, problems: [...state.problems] })
      },
    },
  })

/** Milliseconds that a job waits between its effect and its end. */
const coolingMs = 12
const jobSchema = z.object({ starts: z.int(), receipt: z.string(), ended: z.int() })

/** A chart: it invokes an effect, and waits, and is done. */
export const jobOf = (outside: Outside) =>
  defineActor({
    name: 'job',
    durable: { passivateAfterMs: 20 },
    protocol: { 'job.start': message(step), 'job.read': question({}, jobSchema) },
    machine: ({ setup, reply, effect }) => {
      interface Work {
        readonly client: string
        readonly n: number
      }
      const isWork = (event: object): event is Work => 'client' in event && 'n' in event
      return setup({
        types: { context: {} as JobState & Work },
        actors: {
          work: effect(
            ({ client, n }: Work) => keyOf(client, n),
            ({ input: { client, n }, ...run }): Promise<string> => act(outside, keyOf(client, n), n, false, run),
          ),
        },
      }).createMachine({
        context: { starts: 0, receipt: '', ended: 0, client: '', n: 0 },
        initial: 'idle',
        states: {
          idle: {},
          working: {
            invoke: {
              src: 'work',
              input: ({ context: { client, n } }) => ({ client, n }),
              onDone: { target: 'cooling', actions: assign({ receipt: ({ event }) => event.output }) },
              onError: { target: 'done', actions: assign({ receipt: ({ event }) => String(event.error) }) },
            },
          },
          cooling: { after: { [coolingMs]: 'done' } },
          done: { entry: assign({ ended: ({ context }) => context.ended + 1 }) },
        },
        on: {
          'job.start': {
            target: '.working',
            actions: assign(({ context, event }) => ({
              starts: context.starts + 1,
              ...(isWork(event) ? { client: event.client, n: event.n } : {}),
            })),
          },
          'job.read': {
            actions: reply(({ context: { starts, receipt, ended } }) => ({ starts, receipt, ended })),
          },
        },
      })
    },
  })
