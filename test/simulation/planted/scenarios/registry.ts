import { defineActor, message } from 'echelon'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

class Model {
  problem: string | undefined
}

const model = perWorld(() => new Model())

const leader = defineActor({
  name: 'leader',
  protocol: { 'leader.crash': message({}) },
  state: () => undefined,
  on: {
    'leader.crash': () => {
      throw new Error('it was told to')
    },
  },
})

/** One name for one of several actors: whoever learns that its holder has ended takes it for the next at once. */
export const registryWorld: PlantedWorld = {
  scenario: {
    name: 'registry',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      const { current } = model
      let made = 0
      let holder: string | undefined
      const releases: (() => void)[] = []
      const take = (): void => {
        made += 1
        node.run((runtime) => {
          const ref = runtime.spawn(leader, { name: `l${made}`, restart: 'temporary' })
          try {
            releases.push(runtime.register('leader', ref))
            holder = ref.path
          } catch {
            current.problem ??= `the name of an actor that has ended is not free for ${ref.path}`
          }
          ref.watch(() => {
            if (holder === ref.path) take()
          })
        })
      }
      take()
      for (let round = 1; round <= 6; round += 1) {
        const what = world.choose(4, `round ${round}`)
        const path = holder ?? ''
        if (what === 1 && made < 5) node.at(path, leader).tell({ type: 'leader.crash' })
        if (what === 2 && made < 5) node.run((runtime) => runtime.ref(path)?.kill())
        // A leader of old says once more that it gives the name up.
        if (what === 3 && releases.length > 1) node.run(() => releases[world.choose(releases.length - 1, 'old')]?.())
        await world.sleep(world.choose(2, `wait ${round}`) * 10)
      }
      await world.sleep(100)
      const found = node.runtime?.whereis('leader')?.path
      if (found !== holder) current.problem ??= `${String(holder)} has the name, and ${String(found)} is found by it`
    },
    always: function theNameLeadsToItsHolder() {
      return model.current.problem
    },
  },
  faults: faults.none(),
}
