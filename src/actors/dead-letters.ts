import type { DeadLetterReason } from '../core/events.ts'
import type { ActorPath } from '../core/ids.ts'
import { Deque } from './deque.ts'

/** A message that nobody can receive, and why. */
export interface DeadLetter {
  readonly to: ActorPath
  readonly message: unknown
  readonly reason: DeadLetterReason
  /** The typed error that a sender who asked for a result would have seen. */
  readonly error: unknown
  readonly atMs: number
}

/** The last dead letters and how many there were: undeliverable messages are counted and shown, never silent. */
export class DeadLetters {
  readonly #kept: number
  readonly #recent = new Deque<DeadLetter>()
  readonly #byReason = new Map<DeadLetterReason, number>()
  readonly #listeners = new Set<(letter: DeadLetter) => void>()
  readonly #onListenerError: (error: unknown) => void
  #count = 0
  #isAnnouncing = false

  /** Keeps the last `kept` letters; counts are kept for all. */
  constructor(kept: number, onListenerError: (error: unknown) => void) {
    this.#kept = kept
    this.#onListenerError = onListenerError
  }

  get count(): number {
    return this.#count
  }

  get byReason(): ReadonlyMap<DeadLetterReason, number> {
    return this.#byReason
  }

  /** The last letters, oldest first. */
  recent(): readonly DeadLetter[] {
    const letters: DeadLetter[] = []
    for (let left = this.#recent.length; left > 0; left -= 1) {
      const letter = this.#recent.shift()
      if (letter === undefined) break
      letters.push(letter)
      this.#recent.push(letter)
    }
    return letters
  }

  /** Calls `listener` for each letter from now on. A listener that throws is reported and kept. */
  subscribe(listener: (letter: DeadLetter) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /**
   * Keeps and counts a letter and announces it, to the listeners and by `announce`. One that is made meanwhile, by a
   * listener that writes to a dead actor, is kept and counted only: to announce it would have no end.
   */
  add(letter: DeadLetter, announce: () => void): void {
    this.#count += 1
    this.#byReason.set(letter.reason, (this.#byReason.get(letter.reason) ?? 0) + 1)
    this.#recent.push(letter)
    if (this.#recent.length > this.#kept) this.#recent.shift()
    if (this.#isAnnouncing) return
    this.#isAnnouncing = true
    try {
      for (const listener of this.#listeners) this.#tell(listener, letter)
      announce()
    } finally {
      this.#isAnnouncing = false
    }
  }

  #tell(listener: (letter: DeadLetter) => void, letter: DeadLetter): void {
    try {
      listener(letter)
    } catch (error) {
      this.#onListenerError(error)
    }
  }
}
