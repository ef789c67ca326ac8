import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
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
 * The thread of the store: everything that touches the file, so that no sync of the disk ever holds up the main thread.
 *
 * All that has arrived is written in one transaction and acknowledged by one message. What takes long is done in steps,
 * and appends come first between two of them.
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
    const appends: Packed[] = []
    for (let next: ToStore | undefined = first; next !== undefined; next = received(port)) {
      store.timeIs(next.nowMs)
      if (next.kind === 'append') appends.push(next.packed)
      else if (begin(next)) return
    }
    if (appends.length > 0) commit(appends)
  })

  function commit(messages: readonly Packed[]): void {
    try {
      const outcomes = store.commit(messages.values().flatMap(unpack))
      const refused = outcomes.flatMap((fault, call) => (fault === undefined ? [] : [[call, fault] as const]))
      post({ kind: 'written', messages: messages.length, refused })
    } catch (error) {
      post({ kind: 'unwritten', messages: messages.length, fault: faultOf(error) })
    }
    store.afterCommit()
  }

  /** Whether that was the end. */
  function begin({ id, operation, args }: Question): boolean {
    if (operation === 'close') {
      try {
        store.close()
        post({ kind: 'answer', id, value: undefined })
      } catch (error) {
        post({ kind: 'refusal', id, fault: faultOf(error) })
      }
      port.close()
      return true
    }
    tasks.push({ id, steps: store.begin(operation, args) })
    if (tasks.length === 1) step()
    return false
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

/** Another message that is there already. Its type is what the other side sends. */
const received = (port: MessagePort): ToStore | undefined =>
  (receiveMessageOnPort(port) as { readonly message: ToStore } | undefined)?.message

// The thread is only ever started by `thread.ts`, with this data.
if (parentPort !== null) serve(parentPort, workerData as StoreSetup)
