import { faults } from '../../../src/testing/simulation/faults.ts'
import type { Invariant } from '../../../src/testing/simulation/invariant.ts'
import type { Zone } from '../../../src/testing/simulation/zone.ts'
import { effectsLaw } from './effects.ts'
import { journalLaw } from './journal.ts'
import { defineLaw, type Law } from './law.ts'
import { transfersLaw } from './transfers.ts'

const replacing: Invariant = {
  kind: 'invariant',
  name: 'what replaced processes come by',
  begin: (world) => {
    const old = new Set<Zone>()
    return {
      died: ({ zone }) => {
        if (zone?.isAlive !== true) return
        world.sometimes('a process was taken for dead and replaced')
        old.add(zone)
      },
      step: () => {
        for (const zone of old) {
          if (zone.isPaused) continue
          old.delete(zone)
          if (zone.isAlive) world.sometimes('it woke up beside its successor')
        }
      },
    }
  },
}

/** J15: the same law, in a world whose processes are taken for dead and wake up again. */
const replacedIn = ({ scenario }: Law): Law =>
  defineLaw({
    scenario: {
      ...scenario,
      name: `${scenario.name}-replaced`,
      always: [...[scenario.always ?? []].flat(), replacing],
      sometimes: ['a process was taken for dead and replaced', 'it woke up beside its successor'],
    },
    faults: faults.standard({ replace: 0.02, crash: 0.005, pause: 0, diskFull: 0, call: 0.1, swarm: false }),
  })

export const replacedLaws: readonly Law[] = [journalLaw, transfersLaw, effectsLaw].map(replacedIn)
