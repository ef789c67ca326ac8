import { Deque } from '../../actors/deque.ts'

/** Has so many places; who finds none waits in line. */
export class Gate {
  #free: number
  readonly #waiting = new Deque<() => void>()

  constructor(places: number) {
    this.#free = places
  }

  /** Takes a place. The result gives it back; called again it does nothing. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
