/**
 * Lets what effects side by side came to out to their handler: one outcome at a time, each after what the one before set
 * off. So the handler sees them in the order of the journal, which is all that a replay knows of time.
 */
export class Outlet {
  readonly #later: (task: () => void) => void
  readonly #waiting: (() => void)[] = []
  #underway = 0
  #isBusy = false

  /** `later` runs a task as a macrotask. */
  constructor(later: (task: () => void) => void) {
    this.#later = later
  }

  /** An effect begins whose outcome the handler waits for. */
  begin(): void {
    this.#underway += 1
  }

  /** Its outcome is known. Resolves when it is its turn; undefined when it is at once. `leave` follows. */
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
    this.#underway -= 1
    if (this.#underway === 0) {
      // Nobody is there who could come between.
      this.#isBusy = false
      return
    }
    this.#later(() => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#isBusy = false
      else next()
    })
  }
}
