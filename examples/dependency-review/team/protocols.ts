import * as z from 'zod'
import { defineKey, defineTopic, message, question, type ActorContext, type Ref } from 'echelon'

import type { ReviewErrorCode } from '../errors.ts'
import type { Examination } from '../examine/examination.ts'
import { concerns, type Concern } from '../examine/concern.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { PlannedExamination } from '../plan.ts'
import { identitySchema } from '../resume/identity.ts'

/*
 * What the team says to one another. Work is pulled: who has nothing to do says so, and gets one thing to do. Thus no
 * mailbox ever holds more than a message per worker, and a crash loses at most one examination, which is known by name.
 *
 * Bodies that are made and used in this process are typed and not checked again (`z.custom`); across a wire they would
 * need schemas. What the ledger is told goes to disk, so it is data: no refs, no functions.
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
  /** From the director: this is what is left of your part, of which `kept` examinations are done. */
  'concern.begin': message({ planned: z.custom<readonly PlannedExamination[]>(), kept: z.int().nonnegative() }),
  /** From the director: finish what is begun, and begin nothing. */
  'concern.cancel': message(),
  /** From an examiner: I have just started, and have nothing to do. */
  'work.wanted': message({ examiner: z.custom<ExaminerRef>() }),
  /** From an examiner: this is done, and I have nothing to do. */
  'package.examined': message({ examiner: z.custom<ExaminerRef>(), result: z.custom<Result>() }),
  /** From its own timer: it is time to tell the ledger what was found. */
  'packages.keep': message(),
  /** From the ledger: what you told me is on disk, which makes so many of your examinations. */
  'packages.kept': message({ kept: z.int().positive() }),
}
export type CoordinatorRef = Ref<typeof coordinatorProtocol>

/** What there is to review, or why there is nothing. */
export type Survey =
  | { readonly kind: 'surveyed'; readonly inventory: Inventory }
  | { readonly kind: 'refused'; readonly code: ReviewErrorCode; readonly message: string }

/** How a review ended. */
export type Outcome =
  | {
      readonly kind: 'reviewed'
      readonly inventory: Inventory
      readonly results: ReadonlyMap<Concern, readonly Result[]>
    }
  | Extract<Survey, { readonly kind: 'refused' }>

/** What the strategic tier understands. */
export const directorProtocol = {
  /** Answered when the review is done. */
  'review.outcome': question({}, z.custom<Outcome>()),
  'review.cancel': message(),
  /** From a coordinator: I have just started, and know nothing. */
  'concern.ready': message({ concern, coordinator: z.custom<CoordinatorRef>() }),
  /** From a coordinator: all of my part is on disk. */
  'concern.done': message({ concern }),
}

/** An examination as the ledger keeps it: as JSON, since it never looks into it, and text is quickest to write down. */
export type Kept = readonly [key: string, examination: string]

/** A run as it begins, or goes on. */
export interface BegunRun {
  readonly seed: number
  /** When it began first: epoch milliseconds. */
  readonly startedAtMs: number
  /** How often it was taken up again. */
  readonly resumed: number
  /** Examinations that are done. */
  readonly kept: number
  /** An unfinished run that was given up for this one: why, and how many examinations with it. */
  readonly dropped: { readonly reason: string; readonly kept: number } | null
}

/** What the ledger understands. */
export const ledgerProtocol = {
  /** Goes on with the unfinished run if it is this one; begins a new one if there is none, if it is another, or to `drop` it for a reason. */
  'run.begin': question({ identity: identitySchema, seed: z.int(), drop: z.string().nullable() }, z.custom<BegunRun>()),
  /** The same answer throughout a run. */
  'run.survey': question({}, z.custom<Survey>()),
  /** What is examined of a concern: examinations as JSON, by key. */
  'run.kept': question({ concern }, z.custom<ReadonlyMap<string, string>>()),
  /** From a coordinator, once for each key. It gets `packages.kept` when they are on disk. */
  'packages.examined': message({ concern, found: z.custom<readonly Kept[]>() }),
  /** The reports are written: there is nothing to go on with. */
  'run.end': message(),
}
export type LedgerRef = Ref<typeof ledgerProtocol>

/** Where the team finds one another, whatever the tree looks like. */
export const ledgerKey = defineKey('ledger', ledgerProtocol)
export const directorKey = defineKey('director', directorProtocol)
const coordinatorKeys = new Map(
  concerns.map((name) => [name, defineKey(`coordinator of ${name}`, coordinatorProtocol)]),
)

/** It begins before the team, and a review ends with it. */
export function ledgerIn(find: ActorContext['find']): LedgerRef {
  const [ledger] = find(ledgerKey)
  if (ledger === undefined) throw new Error('Nobody keeps what is found')
  return ledger
}

export function coordinatorKey(name: Concern): ReturnType<typeof defineKey<typeof coordinatorProtocol>> {
  const key = coordinatorKeys.get(name)
  if (key === undefined) throw new Error(`there is no concern ${name}`)
  return key
}

/** What goes on, for whoever watches: the terminal, or a log. */
export const progressTopic = defineTopic(
  'review progress',
  z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('planned'),
      packages: z.int(),
      totals: z.custom<ReadonlyMap<Concern, number>>(),
      kept: z.custom<ReadonlyMap<Concern, number>>(),
    }),
    z.object({ kind: z.literal('progress'), concern, done: z.int(), total: z.int(), crashes: z.int() }),
  ]),
)
export type Progress = z.output<typeof progressTopic.schema>
