import { defineActor, type ActorContext } from 'echelon'

import type { Concern } from '../examine/concern.ts'
import type { Examination } from '../examine/examination.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { planReview, type Plan } from '../plan.ts'
import {
  directorKey,
  directorProtocol,
  ledgerIn,
  progressTopic,
  type CoordinatorRef,
  type Outcome,
  type Result,
} from './protocols.ts'

/** `coordinators` are those that reported; `done` are the concerns of which everything is kept. */
type State =
  | { readonly phase: 'planning' }
  | {
      readonly phase: 'examining'
      readonly inventory: Inventory
      readonly plan: Plan
      readonly coordinators: ReadonlyMap<Concern, CoordinatorRef>
      readonly done: ReadonlySet<Concern>
    }
  | { readonly phase: 'over'; readonly outcome: Outcome }

/**
 * Strategic: plans the review from the survey, gives each coordinator what is left of its part, and collects what they
 * found. All that it knows the ledger knows too: so it may crash, and its next incarnation asks.
 */
export const director = defineActor({
  name: 'director',
  protocol: directorProtocol,
  state: (): State => ({ phase: 'planning' }),
  on: {
    // Other messages wait until this is done: a handler that is not reentrant takes one at a time.
    'actor.started': async ({ register, publish, find }): Promise<State> => {
      register(directorKey)
      const survey = await ledgerIn(find).ask({ type: 'run.survey' }, { timeoutMs: Infinity })
      if (survey.kind === 'refused') return { phase: 'over', outcome: survey }
      const { inventory } = survey
      const plan = planReview(inventory)
      const totals = new Map([...plan].map(([concern, planned]) => [concern, planned.length]))
      const kept = new Map<Concern, number>()
      for (const concern of plan.keys()) kept.set(concern, (await keptOf(concern, find)).size)
      publish(progressTopic, { kind: 'planned', packages: inventory.entries.length, totals, kept })
      return { phase: 'examining', inventory, plan, coordinators: new Map(), done: new Set() }
    },
    'concern.ready': async ({ state, message: { concern, coordinator }, find }): Promise<State> => {
      if (state.phase !== 'examining') return state
      const kept = await keptOf(concern, find)
      const planned = state.plan.get(concern) ?? []
      const left = planned.filter(({ key }) => !kept.has(key))
      coordinator.tell({ type: 'concern.begin', planned: left, kept: planned.length - left.length })
      return { ...state, coordinators: new Map(state.coordinators).set(concern, coordinator) }
    },
    'concern.done': async ({ state, message, find }): Promise<State> => {
      if (state.phase !== 'examining') return state
      const done = new Set(state.done).add(message.concern)
      if (done.size < state.plan.size) return { ...state, done }
      const results = await resultsOf(state.plan, find)
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

type Find = ActorContext['find']

function keptOf(concern: Concern, find: Find): Promise<ReadonlyMap<string, string>> {
  return ledgerIn(find).ask({ type: 'run.kept', concern }, { timeoutMs: Infinity })
}

/** What the ledger has of everything that was planned. */
async function resultsOf(plan: Plan, find: Find): Promise<ReadonlyMap<Concern, readonly Result[]>> {
  const results = new Map<Concern, readonly Result[]>()
  for (const [concern, all] of plan) {
    const kept = await keptOf(concern, find)
    const done = all.map((planned) => {
      const text = kept.get(planned.key)
      if (text === undefined) throw new Error(`The ledger has no ${concern} of ${planned.key}`)
      return { planned, examination: JSON.parse(text) as Examination } // as the coordinator gave it
    })
    results.set(concern, done)
  }
  return results
}
