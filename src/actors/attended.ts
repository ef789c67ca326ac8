import type { AnyActorLogic, AnyStateMachine } from 'xstate'
import { ambient, runAsync } from './ambient.ts'
import { MessageContext } from './context.ts'
import { hostedOf } from './hosted.ts'
import { isMachine, watchedMachine, type AroundTransition } from './machine-guard.ts'

/**
 * Logic whose actions have the actor of their cell in every transition. A delay, and the end of what a chart invoked,
 * come in nobody's message: their transition has a context of its own.
 */
export function attended(logic: AnyActorLogic): AnyActorLogic {
  if (!isMachine(logic)) return logic
  const known = attendedMachines.get(logic)
  if (known !== undefined) return known
  const copy = watchedMachine(logic, attend)
  attendedMachines.set(logic, copy)
  return copy
}

const attendedMachines = new WeakMap<AnyStateMachine, AnyStateMachine>()

const attend: AroundTransition = (self, _, event, step) => {
  const hosted = hostedOf(self)
  if (hosted === undefined || hosted.ended || hosted.context !== undefined) return step()
  const context = new MessageContext(hosted.cell, event, undefined)
  const outer = ambient.context
  hosted.context = context
  ambient.context = context
  try {
    return hosted.isAsync ? runAsync(context, step) : step()
  } finally {
    hosted.context = undefined
    ambient.context = outer
  }
}
