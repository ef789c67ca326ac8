import * as z from 'zod'
import { defineActor } from 'echelon'

import type { Disk } from '../disk.ts'
import { ReviewError } from '../errors.ts'
import type { Concern } from '../examine/examine.ts'
import { readInventory, type Inventory } from '../inventory/inventory.ts'
import { planReview, type Plan } from '../plan.ts'
import {
  directorKey,
  directorProtocol,
  progressTopic,
  type CoordinatorRef,
  type Outcome,
  type Result,
} from './protocols.ts'

/** `coordinators` are those that reported; they are told when the plan is there, or at once when it is. */
type State =
  | { readonly phase: 'planning' }
  | {
      readonly phase: 'examining'
      readonly inventory: Inventory
      readonly plan: Plan
      readonly coordinators: ReadonlyMap<Concern, CoordinatorRef>
      readonly results: ReadonlyMap<Concern, readonly Result[]>
    }
  | { readonly phase: 'over'; readonly outcome: Outcome }

/** Strategic: plans the review from the lockfile, gives each coordinator its part, and collects what they found. */
export const director = defineActor({
  name: 'director',
  protocol: directorProtocol,
  input: z.object({ disk: z.custom<Disk>() }),
  state: (): State => ({ phase: 'planning' }),
  on: {
    // Other messages wait until this is done: a handler that is not reentrant takes one at a time.
    'actor.started': async ({ input, register, publish }): Promise<State> => {
      register(directorKey)
      let inventory: Inventory
      try {
        inventory = await readInventory(input.disk)
      } catch (error) {
        // A folder that is no project is an answer; anything else is a crash.
        if (error instanceof ReviewError) return { phase: 'over', outcome: { kind: 'refused', error } }
        throw error
      }
      const plan = planReview(inventory)
      const totals = new Map([...plan].map(([concern, planned]) => [concern, planned.length]))
      publish(progressTopic, { kind: 'planned', packages: inventory.entries.length, totals })
      return { phase: 'examining', inventory, plan, coordinators: new Map(), results: new Map() }
    },
    'concern.ready': ({ state, message: { concern, coordinator } }): State => {
      if (state.phase !== 'examining') return state
      coordinator.tell({ type: 'concern.begin', planned: state.plan.get(concern) ?? [] })
      return { ...state, coordinators: new Map(state.coordinators).set(concern, coordinator) }
    },
    'concern.done': ({ state, message }): State => {
      if (state.phase !== 'examining') return state
      const results = new Map(state.results).set(message.concern, message.results)
      if (results.size < state.plan.size) return { ...state, results }
      return { phase: 'over', outcome: { kind: 'reviewed', inventory: state.inventory, results } }
    },
    'review.outcome': ({ state, reply, postpone }) => {
      if (state.phase === 'over') reply(state.outcome)
      else postpone() // asked again after the next change of state
    },
    'review.cancel': ({ state }) => {
      if (state.phase === 'examining')
        for (const coordinator of state.coordinators.values()) coordinator.tell({ type: 'concern.cancel' })
    },
  },
})
