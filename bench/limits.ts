/**
 * The raw limit that benches compare with: the least that still is an actor system. Objects with state and a
 * behaviour, one run queue, nothing else: no bounds, validation, supervision, addresses, turns or errors.
 */

/** Handles one message and gives the next state. */
export type Behaviour<State, Message> = (state: State, message: Message, self: LeanActor<State, Message>) => State

export class LeanActor<State, Message> {
  readonly #behaviour: Behaviour<State, Message>
  readonly #queue: RunQueue
  #state: State
  isRunning = true

  constructor(queue: RunQueue, behaviour: Behaviour<State, Message>, state: State) {
    this.#queue = queue
    this.#behaviour = behaviour
    this.#state = state
  }

  tell(message: Message): void {
    this.#queue.push(this, message)
  }

  receive(message: Message): void {
    if (this.isRunning) this.#state = this.#behaviour(this.#state, message, this)
  }

  stop(): void {
    this.isRunning = false
  }
}

interface Receiver<Message> {
  receive(message: Message): void
}

/** Messages in the order in which they were sent, whoever gets them: a ring that doubles when it is full. */
export class RunQueue {
  #slots: unknown[] = new Array(1_024).fill(undefined) // receiver, message, receiver, message …
  #head = 0
  #tail = 0

  push<Message>(receiver: Receiver<Message>, message: Message): void {
    this.#slots[this.#tail] = receiver
    this.#slots[this.#tail + 1] = message
    this.#tail = (this.#tail + 2) & (this.#slots.length - 1)
    if (this.#tail === this.#head) this.#double()
  }

  /** Delivers until nothing is left, on one stack frame. */
  run(): void {
    while (this.#head !== this.#tail) {
      const receiver = this.#slots[this.#head] as Receiver<unknown> // `push` put them there in pairs that fit
      const message = this.#slots[this.#head + 1]
      this.#slots[this.#head] = undefined
      this.#slots[this.#head + 1] = undefined
      this.#head = (this.#head + 2) & (this.#slots.length - 1)
      receiver.receive(message)
    }
  }

  #double(): void {
    const { length } = this.#slots
    this.#slots = [...this.#slots.slice(this.#head), ...this.#slots.slice(0, this.#head)]
    while (this.#slots.length < length * 2) this.#slots.push(undefined)
    this.#head = 0
    this.#tail = length
  }
}
