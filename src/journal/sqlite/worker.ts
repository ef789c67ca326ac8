import { availableParallelism } from 'node:os'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { systemScheduler } from '../../core/scheduler.ts'
import { faultOf, type Fault } from './faults.ts'
import type { FromStore, Question, StoreSetup, ToStore } from './messages.ts'
import { Store } from './store.ts'
import { unpack, type Packed } from './packing.ts'

/** A question that takes more than one step. */
interface Task {
  readonly id: number
  readonly steps: Iterator<undefined, unknown>
}

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
  post({ kind: 'opened' })
  port.on('message', (first: ToStore) => {
    for (let next: ToStore | undefined = first; next !== undefined; next = awaited(port)) {
      store.timeIs(next.nowMs)
      if (next.kind === 'append') commit(next.packed)
      else begin(next)
      if (tasks.length > 0 || next.kind === 'ask') return
    }
  })

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
        post({ kind: 'answer', id, value: undefined })
      } catch (error) {
        post({ kind: 'refusal', id, fault: faultOf(error) })
      }
      port.close()
      return
    }
    try {
      tasks.push({ id, steps: store.begin(operation, args) })
    } catch (error) {
      post({ kind: 'refusal', id, fault: faultOf(error) })
      return
    }
    if (tasks.length === 1) step()
  }

  /** One step of each task; the next ones after the messages that have arrived in the meantime. */
  function step(): void {
    for (const task of [...tasks]) {
      const { id, steps } = task
      try {
        const { done, value } = steps.next()
        if (done !== true) continue
        post({ kind: 'answer', id, value })
      } catch (error) {
        post({ kind: 'refusal', id, fault: faultOf(error) })
      }
      tasks.splice(tasks.indexOf(task), 1)
    }
    if (tasks.length > 0) systemScheduler.later(step)
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
