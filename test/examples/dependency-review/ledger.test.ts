import { defineActor } from 'echelon'
import { memoryJournal } from 'echelon/journal'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'

import { LEDGER, ledgerOf } from '../../../examples/dependency-review/team/ledger.ts'
import {
  coordinatorKey,
  coordinatorProtocol,
  type BegunRun,
  type Kept,
} from '../../../examples/dependency-review/team/protocols.ts'

let surveys = 0
const ledger = ledgerOf(() => {
  surveys += 1
  return Promise.resolve({ kind: 'refused', code: 'INPUT_NOT_A_PROJECT', message: `survey ${surveys}` })
})
const identity = { program: 'a', project: '/nowhere', chaos: 0, seed: null }
const found = (...keys: readonly string[]): readonly Kept[] =>
  keys.map((key) => [key, JSON.stringify({ facts: { readme: true }, findings: [], unexamined: [] })])

const begin = (t: TestRuntime, seed = 1, drop: string | null = null, of = identity): Promise<BegunRun> =>
  t.until(t.runtime.get(ledger, LEDGER).ask({ type: 'run.begin', identity: of, seed, drop }))

/** Stands for a coordinator, and remembers what it is told. */
function listener(told: number[]) {
  const ignore = (): undefined => undefined
  return defineActor({
    name: 'listener',
    protocol: coordinatorProtocol,
    on: {
      'actor.started': ({ register }) => {
        register(coordinatorKey('licences'))
      },
      'packages.kept': ({ message }) => void told.push(message.kept),
      ...{ 'concern.begin': ignore, 'concern.cancel': ignore, 'work.wanted': ignore },
      ...{ 'package.examined': ignore, 'packages.keep': ignore },
    },
  })
}

test('given findings on their way to the disk, when the disk is slow, then nobody is told before they are there', async () => {
  let written = Promise.resolve()
  await using t = await createTestRuntime({ journal: memoryJournal({ beforeCommit: () => written }) })
  await begin(t)
  const told: number[] = []
  t.runtime.spawn(listener(told))
  const disk = Promise.withResolvers<void>()
  written = disk.promise
  const known = t.runtime.get(ledger, LEDGER)
  known.tell({ type: 'packages.examined', concern: 'licences', found: found('a', 'b') })
  const kept = known.ask({ type: 'run.kept', concern: 'licences' })
  await t.settle()
  expect(told).toEqual([])
  disk.resolve()
  expect([...(await t.until(kept)).keys()]).toEqual(['a', 'b'])
  expect(told).toEqual([2])
})

test('given findings that are kept, when the process is gone, then the next one has them, and begins another run when it is over', async () => {
  const journal = memoryJournal()
  for (const [times, keys] of [['a'], ['b', 'c'], []].entries()) {
    await using t = await createTestRuntime({ journal })
    const run = await begin(t, 10 + times)
    expect(run).toMatchObject({ resumed: times, seed: 10, dropped: null })
    const known = t.runtime.get(ledger, LEDGER)
    known.tell({ type: 'packages.examined', concern: 'licences', found: found(...keys) })
    const all = await t.until(known.ask({ type: 'run.kept', concern: 'licences' }))
    expect(run.kept + keys.length).toBe(all.size)
    expect(all.get('a')).toEqual(found('a')[0]?.[1])
    if (times === 2) await t.until(known.tell({ type: 'run.end' }, { durable: true }))
  }
  await using t = await createTestRuntime({ journal })
  expect(await begin(t, 20)).toMatchObject({ resumed: 0, kept: 0, seed: 20, dropped: null })
})

test.each([
  ['it is another run', { ...identity, program: 'b' }, null, 'the program has changed since'],
  ['there is a reason', identity, 'x has changed', 'x has changed'],
] as const)(
  'given an unfinished run, when %s, then it is dropped, and nothing of it is left',
  async (_, of, drop, reason) => {
    await using t = await createTestRuntime({ journal: memoryJournal() })
    await begin(t)
    const known = t.runtime.get(ledger, LEDGER)
    known.tell({ type: 'packages.examined', concern: 'licences', found: found('a') })
    expect(await begin(t, 2, drop, of)).toMatchObject({ seed: 2, resumed: 0, kept: 0, dropped: { reason, kept: 1 } })
    expect(await t.until(known.ask({ type: 'run.kept', concern: 'licences' }))).toEqual(new Map())
  },
)

test('given a run of which nothing is kept, when another begins, then there is nothing to tell about it', async () => {
  await using t = await createTestRuntime({ journal: memoryJournal() })
  await begin(t)
  expect(await begin(t, 2, null, { ...identity, chaos: 1 })).toMatchObject({ seed: 2, resumed: 0, dropped: null })
})

test('given a run, when its survey is asked for again and in another process, then it is that of the beginning; a new run makes its own', async () => {
  const journal = memoryJournal()
  const texts: string[] = []
  surveys = 0
  for (const drop of [null, null, 'a reason']) {
    await using t = await createTestRuntime({ journal })
    await begin(t, 1, drop)
    const known = t.runtime.get(ledger, LEDGER)
    for (let times = 0; times < 2; times += 1) {
      const survey = await t.until(known.ask({ type: 'run.survey' }))
      if (survey.kind === 'refused') texts.push(survey.message)
    }
    known.tell({ type: 'packages.examined', concern: 'licences', found: found('a') })
  }
  expect(texts).toEqual(['survey 1', 'survey 1', 'survey 1', 'survey 1', 'survey 2', 'survey 2'])
})
