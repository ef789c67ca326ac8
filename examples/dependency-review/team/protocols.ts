import * as z from 'zod'
import { defineKey, defineTopic, message, question, type Ref } from 'echelon'

import type { ReviewError } from '../errors.ts'
import type { Examination } from '../examine/examination.ts'
import { concerns, type Concern } from '../examine/examine.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { PlannedExamination } from '../plan.ts'

/*
 * What the team says to one another. Work is pulled: who has nothing to do says so, and gets one thing to do. Thus no
 * mailbox ever holds more than a message per worker, and a crash loses at most one examination, which is known by name.
 *
 * Bodies that are made and used in this process are typed and not checked again (`z.custom`); across a wire they would
 * need schemas.
 */

const concern = z.enum(concerns)

/** An examination that is done: its answer, or why there is none. */
export interface Result {
  readonly planned: PlannedExamination
  readonly examination: Examination
}

/** What the operational tier understands. */
export const examinerProtocol = {
  /** From the coordinator: examine this, and say so. `attempt` counts from 1; a crash makes it one more. */
  'package.examine': message({ planned: z.custom<PlannedExamination>(), attempt: z.int().positive() }),
}
export type ExaminerRef = Ref<typeof examinerProtocol>

/** What the tactical tier understands. */
export const coordinatorProtocol = {
  /** From the director: this is your part. */
  'concern.begin': message({ planned: z.custom<readonly PlannedExamination[]>() }),
  /** From the director: finish what is begun, and begin nothing. */
  'concern.cancel': message(),
  /** From an examiner: I have just started, and have nothing to do. */
  'work.wanted': message({ examiner: z.custom<ExaminerRef>() }),
  /** From an examiner: this is done, and I have nothing to do. */
  'package.examined': message({ examiner: z.custom<ExaminerRef>(), result: z.custom<Result>() }),
}
export type CoordinatorRef = Ref<typeof coordinatorProtocol>

/** How a review ended. */
export type Outcome =
  | {
      readonly kind: 'reviewed'
      readonly inventory: Inventory
      readonly results: ReadonlyMap<Concern, readonly Result[]>
    }
  | { readonly kind: 'refused'; readonly error: ReviewError }

/** What the strategic tier understands. */
export const directorProtocol = {
  /** Answered when the review is done. */
  'review.outcome': question({}, z.custom<Outcome>()),
  'review.cancel': message(),
  /** From a coordinator: I have just started, and know nothing. */
  'concern.ready': message({ concern, coordinator: z.custom<CoordinatorRef>() }),
  'concern.done': message({ concern, results: z.custom<readonly Result[]>() }),
}

/** Where the team finds one another, whatever the tree looks like. */
export const directorKey = defineKey('director', directorProtocol)
const coordinatorKeys = new Map(
  concerns.map((name) => [name, defineKey(`coordinator of ${name}`, coordinatorProtocol)]),
)

export function coordinatorKey(name: Concern): ReturnType<typeof defineKey<typeof coordinatorProtocol>> {
  const key = coordinatorKeys.get(name)
  if (key === undefined) throw new Error(`there is no concern ${name}`)
  return key
}

/** What goes on, for whoever watches: the terminal, or a log. */
export const progressTopic = defineTopic(
  'review progress',
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('planned'), packages: z.int(), totals: z.custom<ReadonlyMap<Concern, number>>() }),
    z.object({ kind: z.literal('progress'), concern, done: z.int(), total: z.int(), crashes: z.int() }),
  ]),
)
export type Progress = z.output<typeof progressTopic.schema>
