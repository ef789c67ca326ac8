/**
 * Lets what effects side by side came to out to their handler: one outcome at a time, each after what the one before set
 * off. So the handler sees them in the order of the journal, which is all that a replay knows of time.
 */
export class Outlet {
  readonly #later: (task: () => void) => void
  readonly #waiting: (() => void)[] = []
  #isBusy = false

  /** `later` runs a task as a macrotask. */
  constructor(later: (task: () => void) => void) {
    this.#later = later
  }

  /** Resolves when it is one's turn; undefined when it is at once. `leave` follows. */
  enter(): Promise<void> | undefined {
    if (this.#isBusy)
      return new Promise((resolve) => {
        this.#waiting.push(resolve)
      })
    this.#isBusy = true
    return undefined
  }

  /** The handler has its outcome from here on. */
  leave(): void {
    this.#later(() => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#isBusy = false
      else next()
    })
  }
}
