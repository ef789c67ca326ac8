import type { PlannedExamination } from '../plan.ts'
import type { Result } from './protocols.ts'

/** An examination to be done, for the `attempt`th time; `failures` of the attempts before ended by a fault of ours. */
export interface Task {
  readonly planned: PlannedExamination
  readonly attempt: number
  readonly failures: number
}

/**
 * What a coordinator has to do, who is at what, and what is examined. That is not done before it is kept.
 *
 * Invariants:
 * 1. Unless it was cancelled, every planned examination is waiting, in flight or examined; it is examined at most once.
 * 2. An examiner has at most one task, and is idle only while nothing waits.
 */
export class WorkQueue<Worker extends { readonly path: string }> {
  readonly #waiting: Task[] = []
  readonly #inFlight = new Map<string, Task>()
  readonly #idle = new Map<string, Worker>()
  readonly #examined = new Set<string>()
  #found: Result[] = []
  #keptBefore = 0
  #kept = 0
  #total = 0
  #begun = false
  #cancelled = false

  get total(): number {
    return this.#total
  }

  /** How many examinations are on disk. */
  get kept(): number {
    return this.#kept
  }

  /** Whether everything that was planned is kept; before there is a plan it is not. */
  get isDone(): boolean {
    return this.#begun && this.#kept === this.#total
  }

  /** Whether nothing more is to be found than what is in flight at most. */
  get isEnding(): boolean {
    return this.#cancelled || this.#keptBefore + this.#examined.size === this.#total
  }

  /** `planned` is what is left when `kept` are done. */
  add(planned: readonly PlannedExamination[], kept = 0): void {
    this.#begun = true
    this.#keptBefore = kept
    this.#kept = kept
    this.#total = kept + planned.length
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
    if (this.#examined.has(result.planned.key)) return
    this.#examined.add(result.planned.key)
    this.#found.push(result)
  }

  /** What was found since it was taken last. */
  take(): readonly Result[] {
    const found = this.#found
    this.#found = []
    return found
  }

  /** So many are on disk altogether. */
  keep(kept: number): void {
    this.#kept = kept
  }

  /** A worker is gone. Gives the task that it had, if it had one that nobody else has finished. */
  lose(worker: { readonly path: string }): Task | undefined {
    this.#idle.delete(worker.path)
    const task = this.#inFlight.get(worker.path)
    this.#inFlight.delete(worker.path)
    return task === undefined || this.#examined.has(task.planned.key) ? undefined : task
  }

  /** To be tried again, before everything that was not tried yet. */
  retry(task: Task): void {
    if (!this.#cancelled) this.#waiting.push(task)
  }
}
