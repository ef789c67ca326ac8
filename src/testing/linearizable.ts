import { serialize } from 'node:v8'
import { DefinitionInvalidError } from '../core/errors.ts'

/** The output that an operation has as long as it has not returned: it may have happened or not. */
export const pending: unique symbol = Symbol('pending')

/** One operation of a client, on a clock that all of them share: steps, or milliseconds. */
export interface Operation<Input, Output> {
  readonly client: string | number
  readonly input: Input
  readonly call: number
  /** Missing while it is pending. One that returns when another is called runs beside it. */
  readonly return?: number
  readonly output?: Output
}

/** What a history is compared with: the same thing, used by one client at a time. */
export interface SequentialModel<State, Input, Output> {
  readonly init: State
  /**
   * The state after an operation that gave `output`, which is `pending` when that is not known; undefined when it cannot
   * give that here. Pure: it is asked again and again.
   */
  readonly step: (state: State, input: Input, output: Output | typeof pending) => State | undefined
  /** Operations of different keys do not touch each other: each key has a state of its own. Much faster. */
  readonly key?: (input: Input) => unknown
  /** Names a state, so that it is not tried twice. Default: its serialized form, which has to exist. */
  readonly hash?: (state: State) => string | number
}

export type Linearizability<Input, Output> =
  /** An order of the operations that explains all outputs. Keys come one after the other. */
  | { readonly kind: 'linearizable'; readonly order: readonly Operation<Input, Output>[] }
  /** There is none: `prefix` is the longest part of one that was found, after which `stuck` had to happen and could not. */
  | {
      readonly kind: 'violation'
      readonly prefix: readonly Operation<Input, Output>[]
      readonly stuck: Operation<Input, Output>
      readonly key: unknown
    }
  /** `maxSteps` steps of the model did not decide it. */
  | { readonly kind: 'unknown'; readonly steps: number; readonly key: unknown }

/**
 * Whether a history is linearizable: whether each operation can have happened at once, at a point between its call and
 * its return. The search of Wing and Gong with the memory of Lowe.
 *
 * Operations may be in any order. `maxSteps`, by default 1,000,000, bounds the work: it grows exponentially with the
 * operations that run side by side, pending ones too.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for an operation that returns before it is called, and for states
 * that cannot be named.
 * @see https://github.com/anishathalye/porcupine
 */
export function isLinearizable<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  { maxSteps = 1_000_000 }: { readonly maxSteps?: number } = {},
): Linearizability<Input, Output> {
  if (!Number.isSafeInteger(maxSteps) || maxSteps < 1)
    throw new DefinitionInvalidError('isLinearizable.maxSteps', `${maxSteps} is not a positive integer`)
  for (const operation of history) checkTimes(operation)
  const { key: keyOf } = model
  const parts =
    keyOf === undefined ? [[undefined, history] as const] : Map.groupBy(history, ({ input }) => keyOf(input))
  const order: Operation<Input, Output>[] = []
  let left = maxSteps
  let unknown: Linearizability<Input, Output> | undefined
  for (const [key, operations] of parts) {
    const search = new Search(operations, model, left)
    const verdict = search.run()
    if (verdict.kind === 'violation') return { ...verdict, key }
    if (verdict.kind === 'unknown') unknown ??= { ...verdict, steps: maxSteps, key }
    else order.push(...verdict.order)
    left -= search.steps
    // A violation of another key would say more, but its search has a right to some work.
    if (left < 1) return unknown ?? { kind: 'unknown', steps: maxSteps, key }
  }
  return unknown ?? { kind: 'linearizable', order }
}

function checkTimes({ client, call, return: returned = Infinity }: Operation<unknown, unknown>): void {
  if (!Number.isFinite(call) || !(returned >= call))
    throw new DefinitionInvalidError(
      'isLinearizable',
      `client ${client} returned at ${returned} from a call at ${call}`,
    )
}

/** A call or a return in the list of those that are left, in the order of time. */
class Event {
  readonly index: number
  /** The return of a call that has one. Undefined for returns, and for what is pending. */
  readonly end: Event | undefined
  readonly isCall: boolean
  before: Event | undefined
  after: Event | undefined

  constructor(index: number, isCall: boolean, end: Event | undefined) {
    this.index = index
    this.isCall = isCall
    this.end = end
  }

  lift(): void {
    if (this.before !== undefined) this.before.after = this.after
    if (this.after !== undefined) this.after.before = this.before
  }

  putBack(): void {
    if (this.before !== undefined) this.before.after = this
    if (this.after !== undefined) this.after.before = this
  }
}

/**
 * Which operations have happened, as a name: all before `#first`, and a few behind it, since what overlaps is little.
 * Operations are numbered by their call, pending ones last.
 */
class Happened {
  readonly #marks: Uint8Array
  /** Where the pending ones begin. */
  readonly #pending: number
  #first = 0
  /** Just behind the last that has happened of those that are not pending. */
  #end = 0

  constructor(size: number, pendingFrom: number) {
    this.#marks = new Uint8Array(size)
    this.#pending = pendingFrom
  }

  add(index: number): void {
    this.#marks[index] = 1
    while (this.#first < this.#pending && this.#marks[this.#first] === 1) this.#first += 1
    if (index < this.#pending) this.#end = Math.max(this.#end, index + 1)
  }

  remove(index: number): void {
    this.#marks[index] = 0
    if (index < this.#pending) this.#first = Math.min(this.#first, index)
    while (this.#end > this.#first && this.#marks[this.#end - 1] === 0) this.#end -= 1
  }

  name(): string {
    let name = String(this.#first)
    for (let index = this.#first + 1; index < this.#end; index += 1) if (this.#marks[index] === 1) name += `,${index}`
    for (let index = this.#pending; index < this.#marks.length; index += 1)
      if (this.#marks[index] === 1) name += `,${index}`
    return name
  }
}

interface Taken<State> {
  readonly call: Event
  /** The state before it. */
  readonly state: State
}

class Search<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>
  readonly #operations: readonly Operation<Input, Output>[]
  readonly #maxSteps: number
  readonly #head: Event
  readonly #happened: Happened
  readonly #tried = new Set<string>()
  readonly #taken: Taken<State>[] = []
  #state: State
  /** Operations that have returned and have not happened yet. */
  #owed: number
  #best: { readonly length: number; readonly order: readonly number[]; readonly stuck: number } | undefined
  steps = 0

  constructor(
    operations: readonly Operation<Input, Output>[],
    model: SequentialModel<State, Input, Output>,
    maxSteps: number,
  ) {
    this.#operations = operations.toSorted((a, b) => Number(isPending(a)) - Number(isPending(b)) || a.call - b.call)
    this.#owed = operations.filter((each) => !isPending(each)).length
    this.#model = model
    this.#state = model.init
    this.#maxSteps = maxSteps
    this.#happened = new Happened(operations.length, this.#owed)
    this.#head = eventsOf(this.#operations)
  }

  run(): Linearizability<Input, Output> {
    let at = this.#head.after
    while (this.#owed > 0) {
      if (at?.isCall === true) {
        if (this.steps >= this.#maxSteps) return { kind: 'unknown', steps: this.steps, key: undefined }
        at = this.#take(at) ? this.#head.after : at.after
        continue
      }
      // A return whose operation has not happened (or the end, where only pending ones are left): go back.
      if (at !== undefined) this.#noteStuck(at.index)
      const last = this.#untake()
      if (last === undefined) return this.#violation()
      at = last.after
    }
    return { kind: 'linearizable', order: this.#taken.map(({ call }) => this.#operation(call.index)) }
  }

  /** Lets an operation happen now, if the model agrees and that leads to where nobody was yet. */
  #take(call: Event): boolean {
    this.steps += 1
    const { input, output } = this.#operation(call.index)
    const isKnown = call.end !== undefined
    // What has returned has an output, if only an undefined one.
    const next = this.#model.step(this.#state, input, isKnown ? (output as Output) : pending)
    if (next === undefined) return false
    this.#happened.add(call.index)
    const name = `${this.#happened.name()}|${nameOf(next, this.#model.hash)}`
    if (this.#tried.has(name)) {
      this.#happened.remove(call.index)
      return false
    }
    this.#tried.add(name)
    this.#taken.push({ call, state: this.#state })
    this.#state = next
    call.lift()
    call.end?.lift()
    if (isKnown) this.#owed -= 1
    return true
  }

  #untake(): Event | undefined {
    const last = this.#taken.pop()
    if (last === undefined) return undefined
    const { call, state } = last
    this.#state = state
    this.#happened.remove(call.index)
    call.end?.putBack()
    call.putBack()
    if (call.end !== undefined) this.#owed += 1
    return call
  }

  #noteStuck(stuck: number): void {
    if (this.#best !== undefined && this.#best.length >= this.#taken.length) return
    this.#best = { length: this.#taken.length, order: this.#taken.map(({ call }) => call.index), stuck }
  }

  #violation(): Linearizability<Input, Output> {
    const { order, stuck } = this.#best ?? { order: [], stuck: 0 }
    return {
      kind: 'violation',
      prefix: order.map((index) => this.#operation(index)),
      stuck: this.#operation(stuck),
      key: undefined,
    }
  }

  #operation(index: number): Operation<Input, Output> {
    // Events are made of these operations.
    return this.#operations[index] as Operation<Input, Output>
  }
}

const isPending = (operation: Operation<unknown, unknown>): boolean => operation.return === undefined

/** The head of a list of all calls and returns. At one time calls come first: those operations run side by side. */
function eventsOf(operations: readonly Operation<unknown, unknown>[]): Event {
  const timed = operations.flatMap(({ call, return: returned }, index) => {
    const end = returned === undefined ? undefined : new Event(index, false, undefined)
    const start = { at: call, event: new Event(index, true, end) }
    return end === undefined || returned === undefined ? [start] : [start, { at: returned, event: end }]
  })
  timed.sort((a, b) => a.at - b.at || Number(b.event.isCall) - Number(a.event.isCall))
  const head = new Event(-1, true, undefined)
  let last = head
  for (const { event } of timed) {
    last.after = event
    event.before = last
    last = event
  }
  return head
}

function nameOf<State>(state: State, hash: ((state: State) => string | number) | undefined): string {
  if (hash !== undefined) return String(hash(state))
  if (typeof state === 'string') return `"${state}`
  if (state === null || typeof state === 'boolean' || Number.isSafeInteger(state)) return String(state)
  try {
    return serialize(state).toString('latin1')
  } catch (error) {
    throw new DefinitionInvalidError('isLinearizable.hash', 'is missing, and a state has no serialized form', {
      cause: error,
    })
  }
}
