import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Append, Blob, Journal, NewEntry, Snapshot } from '../../../src/core/journal.ts'
import { hostOf, type JournalSubject } from './subject.ts'
import { byBytes, ending, entry, readAll, snapshot, take } from './material.ts'

const streams = ['a', 'b', 'c/1', 'd'] as const

/** What one append of a history does; which entry it expects depends on what was written until then. */
interface Step {
  readonly stream: (typeof streams)[number]
  /** How wrong its idea of the last entry is: 0 for none. */
  readonly skew: number
  /** After which entry it begins its stream; 0: it does not. */
  readonly base: number
  readonly entries: number
  /** How far between the last snapshot and the last entry a snapshot is made, of 1; none. */
  readonly snapshot: number | undefined
  readonly wakeAtMs: number | null
  readonly blobs: readonly string[]
  readonly keeps: readonly string[]
}

/** What happens to a journal: groups that are appended at once without waiting, or something that waits. */
type Event =
  | { readonly kind: 'append'; readonly calls: readonly (readonly Step[])[] }
  | { readonly kind: 'compact'; readonly stream: string | undefined }
  | { readonly kind: 'reopen' }

const blobIds = ['x', 'y', 'z'] as const
const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  stream: fc.constantFrom(...streams),
  skew: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-1, 1, 5) }),
  base: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) }),
  entries: fc.nat({ max: 3 }),
  snapshot: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
  wakeAtMs: fc.option(fc.nat({ max: 5 })),
  blobs: fc.subarray([...blobIds]),
  keeps: fc.subarray([...blobIds]),
})
const eventArbitrary: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      calls: fc.array(fc.array(stepArbitrary, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      stream: fc.option(fc.constantFrom(...streams), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
)

interface ModelStream {
  readonly entries: readonly (NewEntry & { readonly seq: number; readonly order: number })[]
  readonly lastSeq: number
  readonly atMs: number
  readonly wakeAtMs: number | null
  readonly snapshot: Snapshot | undefined
  readonly blobs: ReadonlyMap<string, { readonly text: string; readonly seq: number }>
}

const emptyStream: ModelStream = {
  entries: [],
  lastSeq: 0,
  atMs: 0,
  wakeAtMs: null,
  snapshot: undefined,
  blobs: new Map(),
}

/** The journal as the port describes it, in as few words as possible. */
class Model {
  streams: ReadonlyMap<string, ModelStream> = new Map()
  #made = 0

  of = (name: string): ModelStream => this.streams.get(name) ?? emptyStream

  /** The appends that the steps of one call come to, and how it must end. */
  call(steps: readonly Step[]): { readonly appends: readonly Append[]; readonly end: string } {
    const after = new Map(this.streams)
    let end = 'ok'
    const appends = steps.map((step) => {
      const before = after.get(step.stream) ?? emptyStream
      const append = this.#append(step, before)
      if ((append.baseSeq === undefined ? append.expectedSeq : 0) !== before.lastSeq) end = 'JOURNAL_CONFLICT'
      else after.set(step.stream, this.#written(before, append))
      return append
    })
    if (end === 'ok') this.streams = after
    return { appends, end }
  }

  compact(only: string | undefined): {
    readonly streams: number
    readonly entriesRemoved: number
    readonly blobsRemoved: number
  } {
    const after = new Map(this.streams)
    let [entriesRemoved, blobsRemoved] = [0, 0]
    for (const [name, stream] of this.streams) {
      const { snapshot: last } = stream
      if (last === undefined || (only !== undefined && only !== name)) continue
      const entries = stream.entries.filter(({ seq }) => seq > last.seq)
      const blobs = new Map([...stream.blobs].filter(([id, { seq }]) => seq > last.seq || last.blobs.includes(id)))
      entriesRemoved += stream.entries.length - entries.length
      blobsRemoved += stream.blobs.size - blobs.size
      after.set(name, { ...stream, entries, blobs })
    }
    this.streams = after
    return { streams: only === undefined ? after.size : 1, entriesRemoved, blobsRemoved }
  }

  #append(step: Step, before: ModelStream): Append {
    if (step.base > 0) return this.#beginning(step)
    return this.#appending(step, before)
  }

  #beginning({ base: baseSeq, snapshot: part = 0, ...step }: Step): Append {
    const covers = baseSeq + Math.floor(part * step.entries)
    const append = this.#appending({ ...step, base: 0, skew: baseSeq, snapshot: undefined }, emptyStream)
    const last = snapshot(covers, { blobs: step.keeps, body: `"${this.#made}"` })
    return { ...append, baseSeq, entries: append.entries.slice(0, step.entries), snapshot: last }
  }

  #appending({ stream, skew, entries, snapshot: part, wakeAtMs, blobs, keeps }: Step, before: ModelStream): Append {
    const expectedSeq = Math.max(0, before.lastSeq + skew)
    const isRight = expectedSeq === before.lastSeq
    const lastSeq = expectedSeq + entries
    const oldest = Math.max(1, before.snapshot?.seq ?? 0)
    const covers =
      isRight && part !== undefined && lastSeq >= oldest ? oldest + Math.floor(part * (lastSeq - oldest)) : undefined
    const count = covers === undefined ? Math.max(1, entries) : entries
    return {
      stream,
      expectedSeq,
      entries: Array.from({ length: count }, () => {
        this.#made += 1
        return entry({ made: this.#made }, { atMs: 1000 + this.#made, version: this.#made % 3 })
      }),
      wakeAtMs,
      blobs: blobs.map((id): Blob => ({ id, text: `${id} of ${this.#made}` })),
      ...(covers === undefined ? {} : { snapshot: snapshot(covers, { blobs: keeps, body: `"${this.#made}"` }) }),
    }
  }

  #written(before: ModelStream, append: Append): ModelStream {
    const { expectedSeq, baseSeq, entries, snapshot: next, wakeAtMs, blobs = [] } = append
    const lastSeq = expectedSeq + entries.length
    const written = entries.map((one, index) => ({
      ...one,
      seq: expectedSeq + index + 1,
      order: Number(/\d+/.exec(one.body)?.[0]),
    }))
    return {
      entries: [...before.entries, ...written],
      lastSeq,
      atMs: entries.at(-1)?.atMs ?? (baseSeq === undefined ? before.atMs : (next?.atMs ?? 0)),
      wakeAtMs,
      snapshot: next ?? before.snapshot,
      blobs: new Map([...before.blobs, ...blobs.map(({ id, text }) => [id, { text, seq: lastSeq }] as const)]),
    }
  }
}

/** That a journal has exactly what the model has. */
async function expectSame(journal: Journal, model: Model): Promise<void> {
  for (const name of streams) {
    const { entries, lastSeq, wakeAtMs, snapshot: last, blobs } = model.of(name)
    const wanted = entries.map(({ order: _, ...one }) => ({ ...one, stream: name }))
    expect((await readAll(journal, name)).map(({ position: _, ...one }) => one)).toEqual(wanted)
    const loaded = await journal.load(name)
    expect(loaded).toMatchObject({ lastSeq, wakeAtMs })
    expect(loaded.snapshot).toEqual(last)
    expect(loaded.entries.map(({ position: _, ...one }) => one)).toEqual(
      wanted.filter(({ seq }) => seq > (last?.seq ?? 0)),
    )
    for (const id of blobIds) {
      const text = blobs.get(id)?.text
      if (text === undefined) expect(await ending(journal.blob(name, id))).toBe('JOURNAL_CORRUPT')
      else expect(await journal.blob(name, id)).toBe(text)
    }
  }
  const present = [...model.streams].toSorted(([a], [b]) => byBytes(a, b))
  expect(await journal.list()).toEqual(
    present.map(([stream, { lastSeq, atMs, snapshot: last, wakeAtMs }]) => ({
      stream,
      lastSeq,
      atMs,
      snapshotSeq: last?.seq ?? 0,
      wakeAtMs,
    })),
  )
  expect(await journal.due(3)).toEqual(
    present
      .flatMap(([stream, { wakeAtMs }]) => (wakeAtMs === null || wakeAtMs > 3 ? [] : [{ stream, wakeAtMs }]))
      .toSorted((a, b) => a.wakeAtMs - b.wakeAtMs),
  )
  const inOrder = present.flatMap(([, { entries }]) => entries).toSorted((a, b) => a.order - b.order)
  const followed = await take(journal.tail(0), inOrder.length)
  expect(followed.map(({ body }) => body)).toEqual(inOrder.map(({ body }) => body))
  expect(await journal.verify()).toEqual({
    streams: present.length,
    entries: inOrder.length,
    snapshots: present.filter(([, { snapshot: last }]) => last !== undefined).length,
    problems: [],
  })
}

export function describeModel(subject: JournalSubject): void {
  describe('random histories', () => {
    test('given any appends, right and wrong, compactions and reopenings, then the journal has what the model has', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(eventArbitrary, { maxLength: 12 }), async (events) => {
          await using bench = await subject.fresh()
          const model = new Model()
          let journal = await bench.source.open(hostOf(bench))
          for (const event of events) {
            if (event.kind === 'reopen') {
              await journal.close()
              journal = await bench.source.open(hostOf(bench))
            } else if (event.kind === 'compact') {
              const { stream } = event
              const report = await journal.compact(stream === undefined ? {} : { stream })
              expect(report).toMatchObject(model.compact(stream))
            } else {
              const calls = event.calls.map((steps) => model.call(steps))
              const endings = await Promise.all(calls.map(({ appends }) => ending(journal.append(appends))))
              expect(endings).toEqual(calls.map(({ end }) => end))
            }
          }
          await expectSame(journal, model)
          await journal.close()
        }),
        { numRuns: subject.histories },
      )
    })
  })
}
