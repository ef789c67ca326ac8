import {
  child,
  defineActor,
  operational,
  question,
  strategic,
  tactical,
  type Authority,
  type Decide,
  type EscalationOutcome,
  type EscalationRequest,
  type Ref,
  type RuntimeEventOf,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import * as z from 'zod'

export type Request = EscalationRequest<string>
export type Outcome = EscalationOutcome<string>
export type Escalated = RuntimeEventOf<'escalated'>

/** Escalates what it is asked to, and answers with the outcome. */
export const asker = defineActor({
  name: 'asker',
  protocol: { 'asker.escalate': question({ request: z.custom<Request>() }, z.custom<Outcome>()) },
  reentrant: true,
  on: {
    'asker.escalate': async ({ message, reply, refuse, escalate }) => {
      await escalate(message.request).then(reply, refuse)
    },
  },
})

interface Level {
  readonly authority?: Authority
  readonly decide?: Decide<unknown>
}

export interface World extends TestRuntime {
  /** Everything that was escalated, in order. */
  readonly seen: readonly Escalated[]
  readonly hops: () => readonly string[]
  /** Lets the actor at `path` escalate; default: the worker of the lowest tier. */
  ask(request: Request, path?: string): Promise<Outcome>
}

/** `/top`, `/top/middle`, `/top/middle/bottom`: each with an `asker` as its actor, the lowest with two workers, `w1` and `w2`. */
export async function threeTiers(top: Level = {}, middle: Level = {}, bottom: Level = {}): Promise<World> {
  const terms = ({ authority = {}, decide }: Level) => ({
    actor: asker,
    authority,
    intensity: { restarts: 100, withinMs: 1 },
    ...(decide && { decide }),
  })
  const workers = [child(asker, { id: 'w1', shutdown: 1000 }), child(asker, { id: 'w2', shutdown: 1000 })]
  const squad = operational('bottom', { ...terms(bottom), children: workers })
  const branch = tactical('middle', { ...terms(middle), children: [squad] })
  const world = await createTestRuntime({ root: strategic('top', { ...terms(top), children: [branch] }) })
  const seen: Escalated[] = []
  world.runtime.on('escalated', (event) => seen.push(event))
  return {
    ...world,
    seen,
    hops: () => seen.map(({ from, to }) => `${from} -> ${to}`),
    ask: (request, path = w1) => {
      // Every path that tests name is that of an `asker`.
      const ref = world.runtime.ref(path) as unknown as Ref<(typeof asker)['protocol']>
      return ref.ask({ type: 'asker.escalate', request }, { timeoutMs: Infinity })
    },
  }
}

export const w1 = '/top/middle/bottom/w1'
export const buy: Request = {
  action: 'buy',
  spendUsd: 5,
  options: ['buy', 'skip'],
  defaultChoice: 'skip',
  choice: 'buy',
  deadlineMs: 1000,
}
