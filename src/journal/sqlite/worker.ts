import { availableParallelism } from 'node:os'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { systemScheduler } from '../../core/scheduler.ts'
import { faultOf, type Fault } from './faults.ts'
import type { Answer, FromStore, Question, StoreSetup, ToStore } from './messages.ts'
import { Store } from './store.ts'
import { unpack, type Packed } from './packing.ts'

/** What takes more than one step: a question, or work of its own. */
interface Task {
  readonly id: number | undefined
  readonly steps: Iterator<undefined, unknown>
}

/** Milliseconds between two looks at what can be done while nothing else is. */
const beatMs = 1000
/** Batches that are written at most before it is looked at anything else. */
const mostBatches = 100

/** Milliseconds of work whose answers go together: more at once would hold up the thread that takes them. */
const togetherMs = 1

/**
 * Milliseconds for which this thread looks for the next batch before it goes to sleep. Whoever waits for one append before
 * the next answers that soon, and being woken costs a third of what the disk does.
 */
const awakeMs = availableParallelism() > 1 ? 0.1 : 0

/**
 * The thread of the store: everything that touches the file, so that no sync of the disk ever holds up the main thread.
 *
 * Each batch is written in one transaction and acknowledged by one message. What takes long is done in steps, and batches
 * are written between two of them.
 */
function serve(port: MessagePort, setup: StoreSetup): void {
  const post = (message: FromStore): void => {
    port.postMessage(message)
  }
  const onFailure = (fault: Fault): void => {
    post({ kind: 'failed', fault })
  }
  let store: Store
  try {
    store = new Store(setup, post, onFailure)
  } catch (error) {
    post({ kind: 'refused', fault: faultOf(error) })
    port.close()
    return
  }
  const tasks: Task[] = []
  const answers: Answer[] = []
  let answersSinceMs = 0
  post({ kind: 'opened' })
  port.on('message', (first: ToStore) => {
    let next: ToStore | undefined = first
    for (let batches = 0; next !== undefined; batches += 1) {
      store.timeIs(next.nowMs)
      if (next.kind === 'append') commit(next.packed)
      else {
        for (const question of next.questions) begin(question)
        sendAnswers()
      }
      if (tasks.length > 0 || batches === mostBatches) return
      next = awaited(port)
    }
  })
  let timer = setup.mode === 'write' ? systemClock.setTimeout(beat, beatMs) : undefined

  function beat(): void {
    const steps = store.beat()
    if (steps !== undefined && tasks.length === 0) start({ id: undefined, steps })
    timer = systemClock.setTimeout(beat, beatMs)
  }

  function commit(packed: Packed): void {
    try {
      const outcomes = store.commit(unpack(packed))
      const refused = outcomes.flatMap((fault, call) => (fault === undefined ? [] : [[call, fault] as const]))
      post({ kind: 'written', refused })
    } catch (error) {
      post({ kind: 'unwritten', fault: faultOf(error) })
    }
    store.afterCommit()
  }

  function begin({ id, operation, args }: Question): void {
    if (operation === 'close') {
      try {
        store.close()
        answer({ id, value: undefined })
      } catch (error) {
        answer({ id, fault: faultOf(error) })
      }
      sendAnswers()
      tasks.length = 0
      systemClock.clearTimeout(timer)
      port.close()
      return
    }
    try {
      start({ id, steps: store.begin(operation, args) })
    } catch (error) {
      answer({ id, fault: faultOf(error) })
    }
  }

  function answer(given: Answer): void {
    const nowMs = systemClock.now()
    if (answers.length === 0) answersSinceMs = nowMs
    answers.push(given)
    if (nowMs - answersSinceMs >= togetherMs) sendAnswers()
  }

  function sendAnswers(): void {
    if (answers.length > 0) post({ kind: 'answers', answers: answers.splice(0) })
  }

  function start(task: Task): void {
    tasks.push(task)
    if (tasks.length === 1) step()
  }

  /** One step of each task; the next ones after the messages that have arrived in the meantime. */
  function step(): void {
    for (const task of [...tasks]) {
      const { id, steps } = task
      try {
        const { done, value } = steps.next()
        if (done !== true) continue
        if (id !== undefined) answer({ id, value })
      } catch (error) {
        if (id !== undefined) answer({ id, fault: faultOf(error) })
      }
      tasks.splice(tasks.indexOf(task), 1)
    }
    if (tasks.length === 0) return
    systemScheduler.later(() => {
      step()
      sendAnswers()
    })
  }
}

/** The message that comes soon, if one does. Its type is what the other side sends. */
function awaited(port: MessagePort): ToStore | undefined {
  const untilMs = systemClock.now() + awakeMs
  for (;;) {
    const next = receiveMessageOnPort(port) as { readonly message: ToStore } | undefined
    if (next !== undefined || systemClock.now() >= untilMs) return next?.message
  }
}

// The thread is only ever started by `thread.ts`, with this data.
if (parentPort !== null) serve(parentPort, workerData as StoreSetup)
