import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { createRuntime, defineActor, message, question } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { codeBlocks } from './support/markdown.ts'

const page = 'docs/journal-format.md'
const queries = codeBlocks(page, 'sql')

const order = defineActor({
  name: 'order',
  durable: true,
  input: z.object({ usd: z.number() }),
  protocol: {
    'order.pay': message({ card: z.string() }),
    'order.receipt': question({}, z.string()),
    'order.remind': message(),
    'order.break': message(),
  },
  state: () => ({ receipt: '' }),
  on: {
    'order.pay': async ({ effect }) => ({ receipt: await effect('charge', () => 'receipt-1') }),
    'order.receipt': ({ state, reply }) => reply(state.receipt),
    'order.remind': ({ timers }) => {
      timers.at('remind', new Date('2100-01-01T00:00:00Z'), { type: 'order.remind' })
    },
    'order.break': () => {
      throw new Error('out of stock')
    },
  },
})

let folder = ''
let database: DatabaseSync

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'echelon-format-'))
  const file = path.join(folder, 'shop.db')
  const runtime = await createRuntime({ journal: sqliteJournal(file) })
  const ref = runtime.get(order, 'order-17', { input: { usd: 12.5 } })
  await ref.tell({ type: 'order.pay', card: '4711' }, { durable: true, id: 'pay' })
  await ref.ask({ type: 'order.receipt' })
  await ref.tell({ type: 'order.remind' }, { durable: true })
  await ref.tell({ type: 'order.break' }, { durable: true })
  await runtime.shutdown()
  database = new DatabaseSync(file, { readOnly: true })
})

afterAll(() => {
  database.close()
  rmSync(folder, { recursive: true, force: true })
})

test('given the queries of the page, when each is run on a journal, then it finds what it says', () => {
  const found = queries.map((query) => database.prepare(query).all())

  expect(found.map((rows) => rows[0])).toMatchObject([
    { seq: 1, kind: 'created', body: '{"definition":"order","input":{"usd":12.5}}' },
    { name: '/durable/order/order-17' },
    undefined, // no effect is open
    { name: '/durable/order/order-17', type: 'order.break', error: 'out of stock' },
    { name: '/durable/order/order-17', due: '2100-01-01 00:00:00' },
    { name: '/durable/order/order-17', state: '{"receipt":"receipt-1"}' },
    undefined, // nobody writes
  ])
})

test('given the entries that the page shows, when such a message is handled, then these are its entries', () => {
  const shownSchema = z.object({ seq: z.int(), kind: z.string(), body: z.record(z.string(), z.unknown()) })
  const [lines = ''] = codeBlocks(page, 'json')
  const shown = lines
    .trimEnd()
    .split('\n')
    .map((line) => shownSchema.parse(JSON.parse(line)))

  const written = database
    .prepare('SELECT seq, kind, body FROM entries ORDER BY position LIMIT ?')
    .all(shown.length)
    .map(({ body, ...row }) => shownSchema.parse({ ...row, body: JSON.parse(String(body)) as unknown }))

  const numbers = (_name: string, value: unknown): unknown =>
    Number.isInteger(value) && Number(value) > 99 ? 0 : value
  expect(JSON.parse(JSON.stringify(written, numbers))).toEqual(JSON.parse(JSON.stringify(shown, numbers)))
})
