import { expect, test } from 'vitest'

import { advance, noProgress, tally } from '../../../examples/dependency-review/show/progress.ts'
import { textDisplay } from '../../../examples/dependency-review/show/text-display.ts'

const planned = {
  kind: 'planned',
  packages: 10,
  kept: new Map(),
  totals: new Map([
    ['licences', 10],
    ['install-scripts', 10],
    ['maintenance-and-size', 10],
    ['duplicate-versions', 0],
  ] as const),
} as const

class Screen {
  readonly isTTY: boolean
  readonly columns = 100
  text = ''
  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }
  write(text: string): void {
    this.text += text
  }
}

test('given no plan yet, when counted, then nothing is said about the time left', () => {
  expect(tally(noProgress(1_000), 1_500)).toEqual({ done: 0, total: 0, crashes: 0, elapsedMs: 500, leftMs: undefined })
})

test('given a third done in two seconds, when counted, then four seconds are left', () => {
  let progress = advance(noProgress(0), planned, 1_000)
  progress = advance(progress, { kind: 'progress', concern: 'licences', done: 10, total: 10, crashes: 2 }, 3_000)
  expect(tally(progress, 3_000)).toEqual({ done: 10, total: 30, crashes: 2, elapsedMs: 3_000, leftMs: 4_000 })
})

test('given a review that goes on, when counted, then only what this process did tells how long it takes', () => {
  const resumed = { ...planned, kept: new Map([['licences', 10] as const]) }
  let progress = advance(noProgress(0, 10), resumed, 1_000)
  expect(tally(progress, 2_000)).toMatchObject({ done: 10, total: 30, leftMs: undefined })
  progress = advance(progress, { kind: 'progress', concern: 'install-scripts', done: 5, total: 10, crashes: 0 }, 2_000)
  expect(tally(progress, 2_000)).toMatchObject({ done: 15, total: 30, leftMs: 3_000 })
  progress = advance(noProgress(0, 30), { ...planned, kept: planned.totals }, 1_000)
  expect(tally(progress, 2_000)).toMatchObject({ done: 30, total: 30, leftMs: 0 })
})

test('given what was done before, when shown, then it is said at the beginning and with each line', () => {
  const log = new Screen(false)
  const display = textDisplay(log, log)
  const run = { seed: 1, startedAtMs: Date.UTC(2030, 0, 2), resumed: 2, kept: 10, dropped: null }
  display.started({ input: '/p', out: '/o', chaos: 0, run })
  display.progress(advance(noProgress(0, 10), { ...planned, kept: new Map([['licences', 10] as const]) }, 0), 0)
  display.interrupted({ signal: 'SIGINT', notWritten: ['a'], done: 12, total: 30 })
  expect(log.text.split('\n')).toEqual([
    'Going on with the review of /p that began at 2030-01-02T00:00:00.000Z: 10 examinations done',
    '10 packages, 10/30 examinations (10 before), 0 restarts, 0.0 s, time left unknown',
    'Interrupted by SIGINT after 12 of 30 examinations; not written: a (older files of these names are untouched). Run it again to go on from there',
    '',
  ])
})

test('given an unfinished review of something else, when shown, then it says why it is dropped', () => {
  const log = new Screen(false)
  const dropped = { reason: 'it ran with --chaos 0.5', kept: 7 }
  const run = { seed: 1, startedAtMs: 0, resumed: 0, kept: 0, dropped }
  textDisplay(log, log).started({ input: '/p', out: '/o', chaos: 0, run })
  expect(log.text).toBe('An unfinished review (7 examinations) is dropped: it ran with --chaos 0.5\nReviewing /p\n')
})

test('given nothing to examine, when planned, then nothing is left', () => {
  const none = { ...planned, packages: 0, totals: new Map() }
  expect(tally(advance(noProgress(0), none, 10), 10)).toMatchObject({ done: 0, total: 0, leftMs: 0 })
})

test('given a coordinator that began anew, when it tells its total late, then the plan still counts', () => {
  const progress = advance(
    advance(noProgress(0), planned, 0),
    { kind: 'progress', concern: 'licences', done: 0, total: 0, crashes: 0 },
    5,
  )
  expect(tally(progress, 5).total).toBe(30)
})

test('given a terminal, when progress comes, then the picture is drawn over itself, within the width', () => {
  const screen = new Screen(true)
  const display = textDisplay(screen, screen)
  const progress = advance(noProgress(0), planned, 0)
  display.progress(progress, 0)
  display.progress(progress, 10) // too soon for another
  display.progress({ ...progress, restarts: 3 }, 200)
  const pictures = screen.text.split('\u001b[6A')
  expect(pictures).toHaveLength(2)
  for (const picture of pictures) {
    const rows = picture
      .trimEnd()
      .split('\n')
      .map((row) => row.replaceAll('\r\u001b[2K', ''))
    expect(rows.map((row) => row.split(' ')[0])).toEqual([
      'strategic',
      'tactical',
      'tactical',
      'tactical',
      'tactical',
      'operational',
    ])
    for (const row of rows) expect(row.length).toBeLessThan(screen.columns)
  }
  expect(pictures[1]).toContain('3 restarts')
})

test('given no terminal, when progress comes, then there are few plain lines and no control characters', () => {
  const log = new Screen(false)
  const display = textDisplay(log, log)
  let progress = advance(noProgress(0), planned, 0)
  for (let done = 0; done <= 10; done += 1) {
    for (const concern of ['licences', 'install-scripts', 'maintenance-and-size'] as const) {
      progress = advance(progress, { kind: 'progress', concern, done, total: 10, crashes: 0 }, done * 100)
      display.progress(progress, done * 100)
    }
  }
  expect(log.text.trimEnd().split('\n')).toHaveLength(2)
  expect(log.text).toContain('30/30 examinations, 0 restarts, 1.0 s, done')
  expect(log.text).not.toMatch(/[^\P{Cc}\n]/u)
})

test('given an error with escapes in its text, when shown, then they are gone', () => {
  const log = new Screen(false)
  textDisplay(log, log).failed('INPUT_MISSING', '--input \u001b[2J/x does not exist')
  expect(log.text).toBe('dependency-review: --input /x does not exist [INPUT_MISSING]\n')
})
