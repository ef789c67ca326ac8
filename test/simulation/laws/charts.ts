import { defineActor, message, question } from 'echelon'
import * as z from 'zod'
import { perWorld, wrap } from '../../../src/testing/simulation/calls.ts'
import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import { defineLaw, openIntents } from './law.ts'

/** Labels that a printer has made, by the key that it was asked with. */
const printed = perWorld(() => new Map<string, number>())

export const printer = wrap(
  {
    print: async (key: string): Promise<string> => {
      const times = (printed.current.get(key) ?? 0) + 1
      printed.current.set(key, times)
      return `label ${times}`
    },
  },
  { name: 'printer' },
)

/** Counts the parcels that arrived, by the durable messages of their charts. */
export const depot = defineActor({
  name: 'depot',
  durable: true,
  protocol: { 'depot.arrived': message({ parcel: z.string() }), 'depot.parcels': question({}, z.array(z.string())) },
  state: (): readonly string[] => [],
  on: {
    'depot.arrived': ({ state, message }) => [...state, message.parcel],
    'depot.parcels': ({ state, reply }) => void reply([...state]),
  },
})

/** A parcel as a chart: labelled by an effect, lost by a delay, and its arrival told to the depot from an action. */
export const parcel = defineActor({
  name: 'parcel',
  durable: { snapshotEvery: { entries: 6 } },
  input: z.object({ name: z.string() }),
  protocol: {
    'parcel.send': message(),
    'parcel.arrive': message(),
    'parcel.state': question({}, z.string()),
  },
  machine: ({ setup, reply, effect, act }) =>
    setup({
      // Types only.
      types: { context: {} as { name: string }, input: {} as { name: string } },
      actors: {
        label: effect('label', ({ idempotencyKey }) => printer.print(idempotencyKey), {
          idempotent: true,
          timeoutMs: 5000,
          retry: { attempts: 2, minMs: 100 },
        }),
      },
    }).createMachine({
      context: ({ input }) => ({ name: input.name }),
      initial: 'packed',
      states: {
        packed: { on: { 'parcel.send': 'labelling' } },
        labelling: { invoke: { src: 'label', onDone: 'travelling', onError: 'unlabelled' } },
        unlabelled: { after: { 7000: 'labelling' } },
        travelling: { after: { 600_000: 'lost' }, on: { 'parcel.arrive': 'home' } },
        home: {
          entry: act(({ get, path }) => {
            void get(depot, 'd').tell({ type: 'depot.arrived', parcel: path }, { durable: true })
          }),
        },
        lost: {},
      },
      // Its states are not nested.
      on: { 'parcel.state': { actions: reply(({ self }) => self.getSnapshot().value as string) } },
    }),
})

const watching: Invariant = {
  kind: 'invariant',
  name: 'what charts come by',
  begin: (world) => ({
    died: (node) => {
      for (const [name, { entries }] of node.disk.store.streams) {
        if (!name.startsWith('/durable/parcel')) continue
        const last = entries.at(-1)
        for (const { letter } of openIntents(entries))
          world.sometimes(letter === undefined ? 'a crash in an invoked effect' : 'a crash before a letter went')
        if (last?.kind === 'outcome') world.sometimes('a crash between outcome and transition')
      }
    },
  }),
}

const final = ['home', 'lost', 'packed']

/** J10: a chart goes on where it was: its effect came to one result, its delay was due, its durable tell arrived once. */
export const chartsLaw = defineLaw({
  scenario: {
    name: 'charts',
    nodes: { post: [parcel, depot] },
    run: async (world) => {
      const names = ['p0', 'p1']
      const sent = new Set<string>()
      const arrived = new Map<string, number>()
      const refOf = (name: string): ReturnType<typeof world.get<typeof parcel>> =>
        world.get(parcel, name, { input: { name } })
      const tell = (name: string, type: 'parcel.send' | 'parcel.arrive'): Promise<void> =>
        world.retrying(async () => refOf(name).tell({ type }, { durable: true, id: type }))
      const stateOf = (name: string): Promise<string> => world.retrying(() => refOf(name).ask({ type: 'parcel.state' }))
      await world.repeat(8, {
        send: async () => {
          const name = world.pick(names, 'sent')
          await tell(name, 'parcel.send')
          sent.add(name)
        },
        arrive: async () => {
          const name = world.pick(names, 'arrived')
          if ((await stateOf(name)) !== 'travelling' || arrived.has(name)) return
          arrived.set(name, world.nowMs)
          await tell(name, 'parcel.arrive')
        },
        wait: () => world.sleep(world.pick([2, 500, 30_000, 400_000], 'wait')),
      })
      const states = new Map<string, string>()
      for (let round = 0; round < 12; round += 1) {
        for (const name of names) states.set(name, await stateOf(name))
        if ([...states.values()].every((state) => final.includes(state))) break
        await world.sleep(3_600_000)
      }
      // A letter goes when its parcel is back, also on a disk that is slow or full.
      world.calm()
      await world.sleep(300_000)
      const parcels = await world.retrying(() => world.get(depot, 'd').ask({ type: 'depot.parcels' }))
      for (const [name, state] of states) {
        world.expect(sent.has(name) ? state === 'home' || state === 'lost' : state === 'packed', `${name} is ${state}`)
        if (state === 'lost') world.sometimes('a delay was due')
        if (state === 'home') world.sometimes('a parcel arrived')
        // It may have been lost before the message of its arrival was handled.
        if (state === 'home') world.expect(arrived.has(name), `${name} is home and never arrived`)
        if (state === 'lost' && arrived.has(name)) world.sometimes('a delay was due before a message')
        const told = parcels.filter((path) => path.endsWith(name)).length
        world.expect(told === (state === 'home' ? 1 : 0), `${name} is ${state} and the depot heard of it ${told} times`)
      }
      for (const times of printed.current.values()) if (times > 1) world.sometimes('a label was printed twice')
      world.expect(printed.current.size >= sent.size, 'a parcel travels without a label')
    },
    always: [watching],
    sometimes: [
      'a crash before a letter went',
      'a crash in an invoked effect',
      'a crash between outcome and transition',
      'a delay was due',
      'a parcel arrived',
      'a label was printed twice',
    ],
  },
  faults: faults.standard({ crash: 0.04, crashAtCommit: 0.12, call: 0.2, diskFull: 0.03, stall: 0.03 }),
})
