import { copyFileSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRuntime, type InDoubt } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { definitions, door, order, reminder, shelf } from './actors.ts'

/*
 * Journals of every released format, each written by a process that was killed. A later version has to come to the same
 * state from them. They are never written again: see make.ts.
 */

const here = fileURLToPath(new URL('.', import.meta.url))
const journals = globSync('*.db', { cwd: here })

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'echelon-compat-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

test('given the formats that were released, then there is a journal of each', () => {
  expect(journals).toContain('format-1.db')
})

test.each(journals)('given %s, then its actors come to the same state as when it was written', async (name) => {
  const file = path.join(folder, name)
  for (const part of globSync(`${name}*`, { cwd: here })) copyFileSync(path.join(here, part), path.join(folder, part))
  const doubts: InDoubt[] = []
  await using runtime = await createRuntime({
    journal: sqliteJournal(file),
    definitions,
    onInDoubt: (doubt) => {
      doubts.push(doubt)
      return { kind: 'value', value: 'settled' }
    },
  })
  const shelves = await runtime.get(shelf, 'a').ask({ type: 'shelf.list' })
  expect(shelves).toStrictEqual({
    things: new Map(
      ['lamp', 'book', 'clock', 'vase', 'globe', 'radio', 'cup'].map((thing, place) => [
        thing,
        { since: expect.any(Date) as Date, weight: BigInt(place) ** 80n, label: new TextEncoder().encode(thing) },
      ]),
    ),
    nothing: undefined,
  })
  expect(await runtime.get(order, 'o1').ask({ type: 'order.state' })).toMatchObject({
    receipt: 'receipt for 4711',
    refused: expect.stringContaining('out of stock') as string,
    report: 1000,
  })
  expect(await runtime.get(order, 'o2').ask({ type: 'order.state' })).toMatchObject({ hung: 'settled' })
  expect(doubts.map(({ stream, key }) => [stream, key])).toEqual([['/durable/order/o2', 'hang']])
  expect(await runtime.get(door, 'back').ask({ type: 'door.where' })).toBe('"locked"')
  // What was due since then has come by now, once.
  expect(await runtime.get(door, 'front').ask({ type: 'door.where' })).toBe('"closed"')
  const rung = await runtime.get(reminder, 'r').ask({ type: 'reminder.rung' })
  expect(rung.toSorted()).toEqual(['nightly', 'often', 'once'])
})
