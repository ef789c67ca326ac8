import { fromPromise, type PromiseActorLogic } from 'xstate'
import { hashOf } from '../../core/hash.ts'
import type { Cell } from '../cell.ts'
import { detachedIn } from '../context.ts'
import { hostedOf } from '../hosted.ts'
import { checkEffectOptions, type EffectOptions, type EffectRun } from './attempts.ts'
import { runEffect } from './effects.ts'
import { failureOf, type DurableRecord } from './record.ts'

/** What an effect of a chart is given: what the chart invokes it with, and what every effect is given. */
export interface InvokedEffect<Input> extends EffectRun {
  readonly input: Input
}

const effectLogics = new WeakSet<object>()

/** Whether something that a chart invokes is an effect, which is taken up again after a crash. */
export const isEffectLogic = (logic: unknown): boolean =>
  typeof logic === 'object' && logic !== null && effectLogics.has(logic)

/**
 * An effect as something that a chart invokes: `invoke: { src: 'charge', onDone: … }`. `key` names it in the life of its
 * actor, as for `effect` in a handler; give a function when the chart invokes it for several things. Outside of a
 * runtime it just runs.
 */
export function effectLogic<Output, Input = undefined>(
  key: string | ((input: Input) => string),
  fn: (run: InvokedEffect<Input>) => Output | PromiseLike<Output>,
  options: EffectOptions = {},
): PromiseActorLogic<Output, Input> {
  checkEffectOptions(typeof key === 'string' ? `effect '${key}'` : 'effect', options)
  const logic = fromPromise<Output, Input>(async ({ input, self, signal }) => {
    const name = typeof key === 'string' ? key : key(input)
    const cell = cellAbove(self)
    if (cell === undefined) return fn({ input, idempotencyKey: hashOf(name), signal, attempt: 1 })
    keys.set(self, name)
    for (let other = runningIn(cell, name); other !== undefined; other = runningIn(cell, name)) {
      try {
        return (await other) as Output
      } catch (error) {
        // It was stopped, and this one was not: what that came to says nothing.
        if (signal.aborted || stops.get(other)?.aborted !== true) throw error
      }
    }
    const run = (given: EffectRun): Output | PromiseLike<Output> => {
      // It may have been stopped before it began, or between two attempts.
      signal.throwIfAborted()
      return fn({
        idempotencyKey: given.idempotencyKey,
        attempt: given.attempt,
        input,
        signal: AbortSignal.any([given.signal, signal]),
      })
    }
    const running = runEffect(cell, undefined, name, run, options, detachedIn(cell), () => undefined)
    stops.set(running, signal)
    // What comes back is what `fn` gave, or gave before.
    return (await running) as Output
  })
  effectLogics.add(logic)
  return logic
}

/** A chart is done: nobody waits any more for what its effects come to, and none of them brings it back. */
export function giveUpEffects(record: DurableRecord): void {
  const error = failureOf(new Error('given up: its chart is done'))
  for (const { key, letter } of [...record.ledger.intents.values()])
    if (letter === undefined) record.outcome({ key, error }, undefined)
}

const keys = new WeakMap<object, string>()

/** The key of an effect that a chart has invoked and that is at work, or was. */
export const effectKeyOf = (child: object): string | undefined => keys.get(child)

/** What stops the effects that charts run. */
const stops = new WeakMap<Promise<unknown>, AbortSignal>()

const runningIn = (cell: Cell, key: string): Promise<unknown> | undefined => cell.record?.running.get(key)

/** The cell whose chart invoked an actor, at whatever depth. */
function cellAbove(self: object): Cell | undefined {
  for (let actor: object | undefined = self; actor !== undefined; actor = parentOf(actor)) {
    const hosted = hostedOf(actor)
    if (hosted !== undefined) return hosted.cell
  }
  return undefined
}

/** XState's actors know their parent, under this name. */
const parentOf = (actor: object): object | undefined => (actor as { readonly _parent?: object })._parent
