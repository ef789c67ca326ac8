import { expect, test } from 'vitest'

import { advance, noProgress, tally } from '../../../examples/dependency-review/show/progress.ts'
import { textDisplay } from '../../../examples/dependency-review/show/text-display.ts'

const planned = {
  kind: 'planned',
  packages: 10,
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
