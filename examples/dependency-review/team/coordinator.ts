import * as z from 'zod'
import { defineActor, type ActorContext, type DownSignal, type ExitReason } from 'echelon'

import { concerns, type Concern } from '../examine/examine.ts'
import { unexaminedPart } from '../finding.ts'
import { clean, plural } from '../text.ts'
import { InjectedCrash } from './chaos.ts'
import {
  coordinatorKey,
  coordinatorProtocol,
  directorKey,
  progressTopic,
  type ExaminerRef,
  type Result,
} from './protocols.ts'
import { WorkQueue, type Task } from './work-queue.ts'

/** How often a package may bring its examiner down, by a fault that nobody injected, before it is given up. */
export const MAX_FAILURES = 3

/** The queue is this incarnation's own: a restarted coordinator, and its restarted examiners, begin anew. */
interface State {
  readonly queue: WorkQueue<ExaminerRef>
  readonly crashes: number
}

/**
 * Tactical: answers for one concern. It hands out examinations to the examiners of its tier one by one, and hands an
 * examination out again when its examiner crashed. When all are done it reports to the director.
 */
export const coordinator = defineActor({
  name: 'coordinator',
  protocol: coordinatorProtocol,
  input: z.object({ concern: z.enum(concerns) }),
  state: (): State => ({ queue: new WorkQueue(), crashes: 0 }),
  on: {
    'actor.started': ({ input: { concern }, register, find, self }) => {
      register(coordinatorKey(concern))
      for (const director of find(directorKey)) director.tell({ type: 'concern.ready', concern, coordinator: self })
    },
    'concern.begin': (context) => {
      context.state.queue.add(context.message.planned)
      carryOn(context, context.state)
    },
    'concern.cancel': ({ state }) => {
      state.queue.cancel()
    },
    'work.wanted': (context) => {
      context.watch(context.message.examiner)
      context.state.queue.free(context.message.examiner)
      carryOn(context, context.state)
    },
    'package.examined': (context) => {
      const { examiner, result } = context.message
      context.state.queue.finish(examiner, result)
      context.state.queue.free(examiner)
      carryOn(context, context.state)
    },
    // The supervisor starts the examiner again, and the new incarnation asks for work. Here only its task matters.
    'actor.down': (context: Context & { readonly state: State; readonly message: DownSignal }) => {
      const { ref, reason } = context.message
      const task = context.state.queue.lose(ref)
      if (task === undefined) return undefined
      const next = nextAttempt(task, reason)
      if ('examination' in next) context.state.queue.finish(ref, next)
      else context.state.queue.retry(next)
      const state = { ...context.state, crashes: context.state.crashes + 1 }
      carryOn(context, state)
      return state
    },
  },
})

type Context = Pick<ActorContext, 'publish' | 'find'> & { readonly input: { readonly concern: Concern } }

/** Hands out what can be handed out, tells how far it is, and reports when all is done. */
function carryOn({ input: { concern }, publish, find }: Context, { queue, crashes }: State): void {
  for (const { worker, task } of queue.assign()) {
    worker.tell({ type: 'package.examine', planned: task.planned, attempt: task.attempt })
  }
  publish(progressTopic, { kind: 'progress', concern, done: queue.done, total: queue.total, crashes })
  if (!queue.isDone) return
  for (const director of find(directorKey)) director.tell({ type: 'concern.done', concern, results: queue.results })
}

/** What becomes of a task whose examiner is down: another try, or, when the fault is in the package or in us, the end. */
function nextAttempt(task: Task, reason: ExitReason): Task | Result {
  const error = reason.kind === 'crash' ? reason.error : undefined
  const injected = error instanceof InjectedCrash
  const failures = task.failures + (injected ? 0 : 1)
  if (failures < MAX_FAILURES) return { planned: task.planned, attempt: task.attempt + 1, failures }
  const { entry } = task.planned.assignment
  // Only the kind of error: its text may hold absolute paths, and differ from run to run.
  const kind = error instanceof Error ? clean(error.name, 60) : reason.kind
  const why = `its examiner failed ${plural(failures, 'time')} at it (${kind}): please report that`
  return {
    planned: task.planned,
    examination: { facts: {}, findings: [], unexamined: [unexaminedPart(entry, 'package', why)] },
  }
}
