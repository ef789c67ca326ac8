import { Deque } from '../../actors/deque.ts'

/** Lets so many tasks run at a time; the others wait in their order. */
export class Gate {
  #free: number
  readonly #waiting = new Deque<() => void>()

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
