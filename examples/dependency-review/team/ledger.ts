import { defineActor } from 'echelon'

import { concerns, type Concern } from '../examine/concern.ts'
import { differenceBetween, type Identity } from '../resume/identity.ts'
import { MAX_SURVEY } from '../resume/journal.ts'
import { coordinatorKey, ledgerKey, ledgerProtocol, type BegunRun, type Kept, type Survey } from './protocols.ts'

/** A journal is of one review at a time, so there is one ledger in it. */
export const LEDGER = 'review'

/** What is known for sure of the run that is not over yet. */
interface Run {
  readonly identity: Identity
  readonly seed: number
  /** Epoch milliseconds. */
  readonly startedAtMs: number
  readonly resumed: number
  /** What is examined. Grown in place: a copy for each examination would cost the square of their number. */
  readonly kept: Readonly<Record<Concern, Kept[]>>
}

interface State {
  /** Counts the runs of this journal, so that each makes a survey of its own. */
  readonly number: number
  readonly run: Run | null
}

/**
 * What a review knows for sure: a durable actor, so that it knows it still when its process was killed.
 *
 * Everybody else in the team may forget what they know. What they tell the ledger is on disk before anything that
 * follows from it leaves the ledger: so its `packages.kept` is the word that they need not be examined again. What
 * touches the world is an effect: a run has one survey of the project, and whoever asks later gets the same one.
 */
export const ledgerOf = (survey: () => Promise<Survey>) =>
  defineActor({
    name: 'ledger',
    durable: { maxResultBytes: MAX_SURVEY, passivateAfterMs: Infinity },
    protocol: ledgerProtocol,
    state: (): State => ({ number: 0, run: null }),
    on: {
      'actor.started': ({ register }) => {
        register(ledgerKey)
      },
      'run.begin': ({ state, message, reply, clock }): State => {
        const { identity, seed, drop } = message
        const reason = state.run === null ? null : (drop ?? differenceBetween(state.run.identity, identity))
        const before = state.run === null ? 0 : countOf(state.run)
        if (state.run !== null && reason === null && before > 0) {
          const run = { ...state.run, resumed: state.run.resumed + 1 }
          reply(begun(run, null))
          return { ...state, run }
        }
        const run = { identity, seed, startedAtMs: clock.wallNow(), resumed: 0, kept: nothingKept() }
        reply(begun(run, reason !== null && before > 0 ? { reason, kept: before } : null))
        return { number: state.number + 1, run }
      },
      'run.survey': async ({ state: { number }, reply, effect }) => {
        reply(await effect(`survey ${number}`, survey, { idempotent: true }))
      },
      'run.kept': ({ state: { run }, message: { concern }, reply }) => {
        reply(new Map(run?.kept[concern]))
      },
      'packages.examined': ({ state, message: { concern, found }, find }) => {
        if (state.run === null) return undefined
        const kept = state.run.kept[concern]
        kept.push(...found)
        for (const coordinator of find(coordinatorKey(concern)))
          coordinator.tell({ type: 'packages.kept', kept: kept.length })
        return { ...state }
      },
      'run.end': ({ state }) => ({ ...state, run: null }),
    },
  })

const nothingKept = (): Run['kept'] => ({
  licences: [],
  'install-scripts': [],
  'maintenance-and-size': [],
  'duplicate-versions': [],
})

const countOf = ({ kept }: Run): number => concerns.reduce((sum, concern) => sum + kept[concern].length, 0)

function begun(run: Run, dropped: BegunRun['dropped']): BegunRun {
  const { seed, startedAtMs, resumed } = run
  return { seed, startedAtMs, resumed, kept: countOf(run), dropped }
}
