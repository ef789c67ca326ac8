import { child, operational, strategic, tactical, type Intensity } from 'echelon'

import type { Disk } from '../disk.ts'
import { concerns } from '../examine/concern.ts'
import { MAX_PACKAGES } from '../inventory/lockfile.ts'
import { MAX_INJECTED_CRASHES, type Chaos } from './chaos.ts'
import { coordinator, MAX_FAILURES } from './coordinator.ts'
import { director } from './director.ts'
import { examiner } from './examiner.ts'
import { EXAMINERS_PER_CONCERN } from './size.ts'

/** An examination that takes longer is stuck (a network disk that went away, say), and fails like any other. */
const EXAMINATION_MS = 60_000

/**
 * How many crashes the operational tier of one concern bears within an hour. Calm: a thousand packages may each bring
 * their examiner down until they are given up. With chaos: besides, every examination that a project can have may be hit as
 * often as one can be hit. More than that is no misfortune but a defect, and goes up to the tactical tier.
 */
function bearable({ rate }: Chaos): Intensity {
  const injected = rate > 0 ? MAX_INJECTED_CRASHES * MAX_PACKAGES : 0
  return { restarts: 1_000 * MAX_FAILURES + injected, withinMs: 3_600_000 }
}

/**
 * The tree, above the disk and beside the ledger: a director above four coordinators, each above its examiners. `rest_for_one` keeps them in step: who starts
 * after a crashed director or coordinator knows nothing of its next incarnation, so it starts again, too.
 */
export function reviewTeam(disk: Disk, chaos: Chaos) {
  const readOnly = { tools: ['read-project'] } as const
  return strategic('review', {
    actor: director,
    authority: { tools: ['read-project', 'write-report'], risk: 'low' },
    strategy: 'rest_for_one',
    children: concerns.map((concern) =>
      tactical(concern, {
        actor: child(coordinator, { input: { concern } }),
        authority: readOnly,
        strategy: 'rest_for_one',
        children: [
          operational('examiners', {
            authority: readOnly,
            intensity: bearable(chaos),
            children: Array.from({ length: EXAMINERS_PER_CONCERN }, (_, index) =>
              child(examiner, {
                id: `examiner-${index + 1}`,
                input: { concern, disk, chaos },
                progress: { withinMs: EXAMINATION_MS },
              }),
            ),
          }),
        ],
      }),
    ),
  })
}
