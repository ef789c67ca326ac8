import * as z from 'zod'
import { defineActor, type ActorContext, type DownSignal, type ExitReason } from 'echelon'

import { concerns, type Concern } from '../examine/concern.ts'
import { unexaminedPart } from '../finding.ts'
import { clean, plural } from '../text.ts'
import { InjectedCrash } from './chaos.ts'
import {
  coordinatorKey,
  coordinatorProtocol,
  directorKey,
  ledgerIn,
  progressTopic,
  type ExaminerRef,
  type Kept,
  type Result,
} from './protocols.ts'
import { WorkQueue, type Task } from './work-queue.ts'

/** How often a package may bring its examiner down, by a fault that nobody injected, before it is given up. */
export const MAX_FAILURES = 3

/**
 * Milliseconds for which findings are gathered before the ledger is told: one write to the disk for all of them costs no
 * more than for one, and a killed process has lost no more than that.
 */
const GATHER_MS = 100

/** The queue is this incarnation's own: a restarted coordinator, and its restarted examiners, begin with what is left. */
interface State {
  readonly queue: WorkQueue<ExaminerRef>
  readonly crashes: number
}

/**
 * Tactical: answers for one concern. It hands out examinations to the examiners of its tier one by one, and hands an
 * examination out again when its examiner crashed. What they found it gives to the ledger, a little at a time, and does
 * not wait for it. When all of its part is kept it says so to the director.
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
      const { queue } = context.state
      queue.add(context.message.planned, context.message.kept)
      handOut(queue)
      report(context, context.state)
    },
    'concern.cancel': (context) => {
      context.state.queue.cancel()
      keep(context, context.state.queue)
    },
    'work.wanted': ({ state: { queue }, message: { examiner }, watch }) => {
      watch(examiner)
      queue.free(examiner)
      handOut(queue)
    },
    'package.examined': (context) => {
      const { queue } = context.state
      const { examiner, result } = context.message
      queue.finish(examiner, result)
      queue.free(examiner)
      handOut(queue)
      keepSoon(context, queue)
    },
    'packages.keep': (context) => {
      keep(context, context.state.queue)
    },
    'packages.kept': (context) => {
      context.state.queue.keep(context.message.kept)
      report(context, context.state)
    },
    // The supervisor starts the examiner again, and the new incarnation asks for work. Here only its task matters.
    'actor.down': (context: Context & { readonly state: State; readonly message: DownSignal }) => {
      const { queue, crashes } = context.state
      const { ref, reason } = context.message
      const task = queue.lose(ref)
      if (task === undefined) return undefined
      const next = nextAttempt(task, reason)
      if ('examination' in next) queue.finish(ref, next)
      else queue.retry(next)
      const state = { queue, crashes: crashes + 1 }
      handOut(queue)
      keepSoon(context, queue)
      report(context, state)
      return state
    },
  },
})

type Context = Pick<ActorContext<typeof coordinatorProtocol>, 'publish' | 'find' | 'timers'> & {
  readonly input: { readonly concern: Concern }
}

/** Hands out what can be handed out. */
function handOut(queue: WorkQueue<ExaminerRef>): void {
  for (const { worker, task } of queue.assign()) {
    worker.tell({ type: 'package.examine', planned: task.planned, attempt: task.attempt })
  }
}

/** Gives the ledger what was found: soon, or at once when there is nothing to gather. */
function keepSoon(context: Context, queue: WorkQueue<ExaminerRef>): void {
  const { timers } = context
  if (queue.isEnding) keep(context, queue)
  else if (!timers.active('keep')) timers.after('keep', GATHER_MS, { type: 'packages.keep' })
}

function keep({ input: { concern }, find }: Context, queue: WorkQueue<ExaminerRef>): void {
  const found = queue.take().map(({ planned, examination }): Kept => [planned.key, JSON.stringify(examination)])
  if (found.length > 0) ledgerIn(find).tell({ type: 'packages.examined', concern, found })
}

/** Tells how far it is, and the director when all is done. */
function report({ input: { concern }, publish, find }: Context, { queue, crashes }: State): void {
  publish(progressTopic, { kind: 'progress', concern, done: queue.kept, total: queue.total, crashes })
  if (!queue.isDone) return
  for (const director of find(directorKey)) director.tell({ type: 'concern.done', concern })
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
