import { createServer } from 'node:net'
import { defineActor, message } from 'echelon'
import { faults, readCase, sim, simulate, type Scenario, type SimulateOptions } from 'echelon/testing'

// What goes wrong in simulated worlds, one provocation for each error code. See test/errors.test.ts.

const note = defineActor({
  name: 'note',
  durable: true,
  protocol: { 'note.take': message() },
  on: { 'note.take': () => undefined },
})

const gateway = sim.wrap({ charge: () => Promise.resolve('done') }, { name: 'gateway' })

/** What a campaign fails with. */
async function failureOf(run: Scenario['run'], options: SimulateOptions = {}): Promise<unknown> {
  const campaign = simulate(
    { nodes: { shop: [note] }, run },
    { seeds: 1, folder: false, faults: faults.none(), ...options },
  )
  return campaign.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  )
}

/** What its scenario failed with. */
const causeOf = async (run: Scenario['run'], options: SimulateOptions = {}): Promise<unknown> =>
  ((await failureOf(run, options)) as Error).cause

export const simulationProvocations = {
  CALL_FAILED: () =>
    causeOf(
      async (world) => {
        await Promise.race([gateway.charge(), world.sleep(60_000)]) // some only take long
      },
      { seeds: 50, faults: faults.only({ call: 1, swarm: false }) },
    ),
  NODE_DOWN: () =>
    causeOf(async (world) => {
      const told = world.get(note, 'a').tell({ type: 'note.take' }, { durable: true })
      world.node('shop').crash('a test')
      await told
    }),
  SIMULATION_BUSY: async () => {
    await using _open = sim()
    return await failureOf(() => undefined)
  },
  SIMULATION_CASE: () => {
    try {
      return readCase('package.json')
    } catch (error) {
      return error
    }
  },
  SIMULATION_ESCAPED: () => {
    let thrown: unknown
    const run = (): void => {
      try {
        createServer()
      } catch (error) {
        thrown = error
      }
    }
    return failureOf(run).then(() => thrown)
  },
  SIMULATION_FAILED: () => failureOf((world) => world.fail('as planned')),
}
