import type { PlannedExamination } from '../plan.ts'
import type { Result } from './protocols.ts'

/** An examination to be done, for the `attempt`th time; `failures` of the attempts before ended by a fault of ours. */
export interface Task {
  readonly planned: PlannedExamination
  readonly attempt: number
  readonly failures: number
}

/**
 * What a coordinator has to do, who is at what, and what is done.
 *
 * Invariants:
 * 1. Unless it was cancelled, every planned examination is waiting, in flight or done; it is done at most once.
 * 2. An examiner has at most one task, and is idle only while nothing waits.
 */
export class WorkQueue<Worker extends { readonly path: string }> {
  readonly #waiting: Task[] = []
  readonly #inFlight = new Map<string, Task>()
  readonly #idle = new Map<string, Worker>()
  readonly #results = new Map<string, Result>()
  #total = 0
  #begun = false
  #cancelled = false

  get total(): number {
    return this.#total
  }

  get done(): number {
    return this.#results.size
  }

  /** Whether everything that was planned is done; before there is a plan it is not. */
  get isDone(): boolean {
    return this.#begun && this.#results.size === this.#total
  }

  get results(): readonly Result[] {
    return [...this.#results.values()]
  }

  add(planned: readonly PlannedExamination[]): void {
    this.#begun = true
    this.#total += planned.length
    // Taken from the end; reversed, so that the first comes first.
    for (const one of planned.toReversed()) this.#waiting.push({ planned: one, attempt: 1, failures: 0 })
  }

  /** Nothing more is begun. What is in flight may still come in. */
  cancel(): void {
    this.#cancelled = true
    this.#waiting.length = 0
  }

  free(worker: Worker): void {
    this.#idle.set(worker.path, worker)
  }

  /** Gives each idle worker a task, as long as there are tasks. */
  *assign(): Generator<{ readonly worker: Worker; readonly task: Task }, undefined> {
    for (const [path, worker] of this.#idle) {
      const task = this.#waiting.pop()
      if (task === undefined) return
      this.#idle.delete(path)
      this.#inFlight.set(path, task)
      yield { worker, task }
    }
  }

  /** A result came in; a second one for the same examination changes nothing. */
  finish(worker: { readonly path: string }, result: Result): void {
    this.#inFlight.delete(worker.path)
    this.#results.set(result.planned.key, this.#results.get(result.planned.key) ?? result)
  }

  /** A worker is gone. Gives the task that it had, if it had one that nobody else has finished. */
  lose(worker: { readonly path: string }): Task | undefined {
    this.#idle.delete(worker.path)
    const task = this.#inFlight.get(worker.path)
    this.#inFlight.delete(worker.path)
    return task === undefined || this.#results.has(task.planned.key) ? undefined : task
  }

  /** To be tried again, before everything that was not tried yet. */
  retry(task: Task): void {
    if (!this.#cancelled) this.#waiting.push(task)
  }
}
