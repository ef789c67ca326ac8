import { expect, test } from 'vitest'
import { codeBlocks } from '../support/markdown.ts'
import { startProgram, testFolder, type Ended } from './kill-example.ts'

/** Runs the office from a time on until it has written such lines, and ends it. */
async function office(
  folder: string,
  now: string,
  command: string,
  lines: readonly RegExp[],
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL',
): Promise<Ended> {
  const program = startProgram('examples/07-durable-reminders/main.ts', [folder, command], { NOW: now })
  await program.wrote(...lines)
  program.kill(signal)
  return program.ended
}

const status = /^invoice-1 was/
const list = /^\d{4}-\d\d-\d\d: invoice-1 is/

test('given an invoice and a clerk, when the process is killed each time and comes back days later, then what was due meanwhile is done, once', async () => {
  const folder = testFolder()
  const sent = await office(folder, '2026-03-02T08:30Z', 'send', [status])
  const early = await office(folder, '2026-03-02T12:00Z', 'look', [status])
  const reminded = await office(folder, '2026-03-17T12:00Z', 'look', [status, /^letter/, list])
  const overdue = await office(folder, '2026-03-24T12:00Z', 'look', [
    status,
    /^letter: a last warning$/,
    /^2026-03-24: invoice-1 is/,
  ])

  expect([sent.signal, early.signal, reminded.signal, overdue.signal]).toEqual(Array(4).fill('SIGKILL'))
  expect([sent.lines, early.lines]).toEqual([['invoice-1 was sent'], ['invoice-1 was sent']])
  expect(reminded.lines).toContain('letter: a friendly reminder')
  // One list for all the days in between. That of the kill before may come again: nobody knows whether it was printed.
  const dates = ({ lines }: Ended): Set<string> =>
    new Set(lines.filter((line) => list.test(line)).map((line) => line.slice(0, 10)))
  expect(dates(reminded)).toEqual(new Set(['2026-03-17']))
  expect(dates(overdue).difference(new Set(['2026-03-17']))).toEqual(new Set(['2026-03-24']))

  const paid = await office(folder, '2026-03-24T13:00Z', 'pay', [/^invoice-1 was paid$/], 'SIGTERM')
  const later = await office(folder, '2026-04-24T13:00Z', 'look', [/^2026-04-24/])

  expect(paid).toMatchObject({ code: 0, signal: null })
  expect(later.lines.filter((line) => line.startsWith('letter'))).toEqual([])
  expect(later.lines).toContain('2026-04-24: invoice-1 is paid')
}, 60_000)

test('given what the README shows, when it is compared with what the program can write, then every line is one of those', () => {
  const [shown = ''] = codeBlocks('examples/07-durable-reminders/README.md', 'text')

  for (const line of shown.trimEnd().split('\n')) expect(line).toMatch(/^(invoice-1 (was|is) |letter: |\d{4}-)/)
})
