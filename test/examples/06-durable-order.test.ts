import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { codeBlocks } from '../support/markdown.ts'
import { startProgram, testFolder, type Ended, type Running } from './kill-example.ts'

const start = (folder: string, dieAt = ''): Running =>
  startProgram('examples/06-durable-order/main.ts', [folder], { DIE_AT: dieAt })
const killed = { code: null, signal: 'SIGKILL', lines: [] }
const end = ['order-17: receipt-1', 'the bank has 1 charge(s)']
const mail = 'mail: a kite is paid, receipt-1'

function charges(folder: string): number {
  const books = path.join(folder, 'bank.jsonl')
  return existsSync(books) ? readFileSync(books, 'utf8').trimEnd().split('\n').length : 0
}

test('given an order, when nothing goes wrong, then it is paid, and paid no second time when the program is run again', async () => {
  const folder = testFolder()

  expect(await start(folder).ended).toEqual({ code: 0, signal: null, lines: [mail, ...end] })
  expect(await start(folder).ended).toEqual({ code: 0, signal: null, lines: end })
  expect(charges(folder)).toBe(1)
}, 30_000)

test.each([
  { place: 'before the charge', dead: 0, next: ['in doubt: the bank knows of no charge', mail, ...end] },
  { place: 'after the charge', dead: 1, next: ['in doubt: the bank has it, receipt-1', mail, ...end] },
])(
  'given a process that is killed $place, when it is run again, then the order is paid once',
  async ({ place, dead, next }) => {
    const folder = testFolder()

    expect(await start(folder, place).ended).toEqual(killed)
    expect(charges(folder)).toBe(dead)
    expect(await start(folder).ended).toEqual({ code: 0, signal: null, lines: next })
    expect(charges(folder)).toBe(1)
    if (dead === 1) expect(codeBlocks('examples/06-durable-order/README.md', 'text')).toEqual([`${next.join('\n')}\n`])
  },
  30_000,
)

test('given a process that is killed after the mail, when it is run again, then nothing is in doubt and the mail is sent again', async () => {
  const folder = testFolder()

  expect(await start(folder, 'after the mail').ended).toMatchObject({ signal: 'SIGKILL' })
  expect(await start(folder).ended).toEqual({ code: 0, signal: null, lines: [mail, ...end] })
  expect(charges(folder)).toBe(1)
}, 30_000)

test('given a process that somebody kills again and again, when it comes to its end at last, then the order is paid once', async () => {
  const folder = testFolder()
  for (const place of ['after the charge', 'after the mail']) await start(folder, place).ended
  for (const line of [/^mail/, /^order-17/]) {
    const program = start(folder)
    await program.wrote(line)
    program.kill('SIGKILL')
    await program.ended
  }

  const last: Ended = await start(folder).ended

  expect(last.lines.slice(-2)).toEqual(end)
  expect(charges(folder)).toBe(1)
}, 60_000)
