import * as z from 'zod'
import { defineActor, type ActorContext, type MessageOf } from 'echelon'

import type { Disk } from '../disk.ts'
import { concerns, type Concern } from '../examine/concern.ts'
import { examine } from '../examine/examine.ts'
import { crashPoint, InjectedCrash, type Chaos } from './chaos.ts'
import { coordinatorKey, examinerProtocol, type coordinatorProtocol } from './protocols.ts'

/**
 * Operational: examines one package per message, reading the disk. It keeps nothing between two messages, so a restart
 * costs the examination at hand and no more.
 */
export const examiner = defineActor({
  name: 'examiner',
  protocol: examinerProtocol,
  input: z.object({ concern: z.enum(concerns), disk: z.custom<Disk>(), chaos: z.custom<Chaos>() }),
  on: {
    'actor.started': ({ input: { concern }, find, self }) => {
      tellCoordinator(find, concern, { type: 'work.wanted', examiner: self })
    },
    'package.examine': async ({ input: { concern, disk, chaos }, message: { planned, attempt }, find, self }) => {
      const point = crashPoint(chaos, concern, planned.key, attempt)
      if (point === 'before') throw new InjectedCrash(concern, planned.key, attempt)
      const examination = await examine(disk, concern, planned.assignment)
      if (point === 'after') throw new InjectedCrash(concern, planned.key, attempt)
      tellCoordinator(find, concern, { type: 'package.examined', examiner: self, result: { planned, examination } })
    },
  },
})

/** The coordinator starts before its examiners. When it is gone all the same, crash: the supervisors put that right. */
function tellCoordinator(
  find: ActorContext['find'],
  concern: Concern,
  message: MessageOf<typeof coordinatorProtocol>,
): void {
  const [coordinator] = find(coordinatorKey(concern))
  if (coordinator === undefined) throw new Error(`Nobody coordinates ${concern}`)
  coordinator.tell(message)
}
