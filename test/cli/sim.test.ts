import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { EndedError } from '../../src/cli/host.ts'
import { run } from '../../src/cli/program.ts'
import type { SimulationCase } from 'echelon/testing'
import { echelon, inFolder, testHost } from './material.ts'

const scenarios = path.resolve(import.meta.dirname, 'sim-scenarios.ts')

/** Lets a campaign find the case of `one letter`, and gives its file. */
async function findCase(folder: string): Promise<string> {
  const { code } = await echelon('sim', 'run', scenarios, '--export', 'oneLetter', '--folder', folder)
  expect(code).toBe(1)
  const [file = ''] = readdirSync(folder)
  return path.join(folder, file)
}

const read = (file: string): SimulationCase => JSON.parse(readFileSync(file, 'utf8')) as SimulationCase

/** Changes a case. */
function edit(file: string, change: (found: SimulationCase) => object): void {
  writeFileSync(file, JSON.stringify(change(read(file))))
}

test('given a module with scenarios, when they are run, then each says how it went, and what broke is a case', async () => {
  await inFolder(async (folder) => {
    const { code, stdout, notes } = await echelon('sim', 'run', scenarios, '--seeds', '60', '--folder', folder)

    expect([code, notes]).toEqual([1, []])
    expect(stdout).toMatch(/^many letters: nothing broke in 60 worlds, \d+ faults, \d+ h of theirs in \d+\.\d s$/m)
    expect(stdout).toMatch(/^ {2}a letter is sent: in \d+ worlds$/m)
    expect(stdout).toMatch(/^one letter: seed \d+ broke 'fewLetters': <i>2<\/i> letters$/m)
    const [file = ''] = readdirSync(folder)
    expect(stdout).toContain(`replay: echelon sim replay ${path.join(folder, file)}`)
    expect(read(path.join(folder, file))).toMatchObject({
      scenario: 'one letter',
      module: path.relative(folder, scenarios),
    })
  })
})

test('given --export, --strategy, --faults and --json, when it is run, then that one is, and the result is a document', async () => {
  await inFolder(async (folder) => {
    const args = ['--export', 'manyLetters', '--seeds', '5', '--seed', '100', '--json', '--folder', folder]
    const calm = await echelon('sim', 'run', scenarios, ...args, '--strategy', 'fifo', '--faults', 'none')
    expect(calm.code).toBe(0)
    expect(JSON.parse(calm.stdout)).toMatchObject({
      ...{ ok: true, scenario: 'many letters', worlds: 5, faults: 0 },
      sometimes: { 'a letter is sent': 5 },
    })
    const broken = await echelon('sim', 'run', scenarios, '--export', 'oneLetter', '--json', '--folder', folder)
    expect(broken.code).toBe(1)
    expect(JSON.parse(broken.stdout)).toMatchObject({
      ...{ ok: false, scenario: 'one letter', invariant: 'fewLetters' },
      file: expect.stringContaining(folder) as unknown,
    })
  })
})

test('given a case alone, when it is replayed, then it finds its module, shows the steps, and breaks as it did', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    const { code, stdout, notes } = await echelon('sim', 'replay', file)

    expect([code, notes]).toEqual([1, []])
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^one letter: seed \d+, which broke 'fewLetters': <i>2<\/i> letters$/)
    expect(lines.filter((line) => line.includes('post.send: is done'))).toHaveLength(2)
    expect(lines.at(-2)).toMatch(/world violation: fewLetters: <i>2<\/i> letters$/)
    expect(lines.at(-1)).toBe('It breaks as it did, step by step.')
    expect((await echelon('sim', 'replay', file, '--last', '1')).stdout.split('\n')).toHaveLength(5)
  })
})

test('given a case, when its diagram is asked for, then it is alone on the standard output', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    const { code, stdout, notes } = await echelon('sim', 'replay', file, '--diagram')

    expect([code, notes]).toEqual([1, ['It breaks as it did, step by step.']])
    expect(stdout).toMatch(/^sequenceDiagram\n {2}participant p0 as office\n/)
    expect(stdout).toMatch(/p\d+->>p\d+: post\.send is done/)
  })
})

test('given a case, when it is replayed for a program, then there is a row for the case and one for each step', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    const { stdout } = await echelon('sim', 'replay', file, '--json')

    const [first, ...steps] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(first).toMatchObject({ type: 'case', scenario: 'one letter', isSame: true, isExact: true })
    expect(steps.length).toBeGreaterThan(20)
    expect(steps.at(-1)).toMatchObject({ type: 'step', node: 'world', place: 'violation' })
  })
})

test('given a case that does not break any more, or by another invariant, when it is replayed, then it says so', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    edit(file, (found) => ({ ...found, traceHash: 'other' }))
    expect((await echelon('sim', 'replay', file)).stdout).toContain("It breaks 'fewLetters' still, by other steps")
    edit(file, (found) => ({ ...found, invariant: 'noLetters' }))
    expect((await echelon('sim', 'replay', file)).stdout).toContain("It breaks 'fewLetters' instead (<i>2</i> letters)")
    edit(file, (found) => ({ ...found, deviations: [] }))

    const healed = await echelon('sim', 'replay', file)

    expect(healed.code).toBe(0)
    expect(healed.stdout).toMatch(/^It does not break 'noLetters' any more\.$/m)
    const shrunk = await echelon('sim', 'shrink', file)
    expect([shrunk.code, shrunk.stdout]).toEqual([1, ''])
    expect(shrunk.notes.join()).toMatch(/nothing to shrink \[SIMULATION_CASE\]/)
  })
})

test('given a case with more decisions than it takes, when it is shrunk, then they go, and the file has what is left', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    const { deviations } = read(file)
    const idle = [3, 5].map((ordinal) => ({ kind: 'fault' as const, stream: 'pause office', ordinal, value: 1 }))
    edit(file, (found) => ({ ...found, deviations: [...deviations, ...idle] }))

    const { code, stdout } = await echelon('sim', 'shrink', file)

    expect(code).toBe(0)
    expect(stdout).toMatch(/^3 decisions before, 1 now: 1 fault\n\d+ worlds were run for it; nothing that was tried/)
    expect(read(file)).toMatchObject({ deviations, module: path.relative(folder, scenarios) })
    const again = await echelon('sim', 'replay', file, '--json')
    expect(again.stdout).toContain('"isSame":true,"isExact":true')
    expect(JSON.parse((await echelon('sim', 'shrink', file, '--json')).stdout)).toMatchObject({ before: 1, after: 1 })
  })
})

test('given a case, when its page is asked for, then it is beside the case, and its path is the result', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    const page = file.replace(/\.json$/, '.html')
    expect(await echelon('sim', 'ui', file)).toMatchObject({ code: 0, stdout: `${page}\n`, notes: [] })
    expect(readFileSync(page, 'utf8')).toContain('&lt;i&gt;2&lt;/i&gt; letters')
    const other = path.join(folder, 'other.html')
    expect(JSON.parse((await echelon('sim', 'ui', file, '--out', other, '--json')).stdout)).toEqual({ page: other })
  })
})

test('given a case that was moved without its module, when it is replayed, then the module may be named', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    const moved = path.join(folder, 'deep', 'case.json')
    mkdirSync(path.dirname(moved))
    copyFileSync(file, moved)
    const lost = await echelon('sim', 'replay', moved)
    expect([lost.code, lost.notes.join()]).toEqual([2, expect.stringMatching(/there is no module/)])
    expect((await echelon('sim', 'replay', moved, scenarios)).stdout).toContain('It breaks as it did')
    edit(moved, ({ module: _, ...found }) => found)
    expect((await echelon('sim', 'replay', moved)).notes.join()).toMatch(
      /does not say which module exports 'one letter'/,
    )
    edit(moved, (found) => ({ ...found, scenario: 'no letter' }))
    const other = await echelon('sim', 'replay', moved, scenarios)
    expect([other.code, other.notes.join()]).toEqual([
      1,
      expect.stringMatching(/it is of 'no letter', and .* has 'many letters', 'one letter' \[SIMULATION_CASE\]/),
    ])
  })
})

test('given the case of a property, when it is replayed, then the command says who can', async () => {
  await inFolder(async (folder) => {
    const file = await findCase(folder)
    edit(file, (found) => ({ ...found, commands: [{ name: 'crash shop' }] }))
    const { code, notes } = await echelon('sim', 'replay', file)
    expect([code, notes.join()]).toEqual([2, expect.stringMatching(/whose commands are in a test: use replayProperty/)])
  })
})

test.each([
  ['no command', ['sim'], /Usage: echelon sim/],
  ['no module', ['sim', 'run'], /missing required argument 'module'/],
  ['a module that is not there', ['sim', 'run', 'none.ts'], /there is no module none\.ts/],
  [
    'a module without scenarios',
    ['sim', 'run', 'test/cli/material.ts'],
    /exports no scenario: export what defineScenario/,
  ],
  [
    'an unknown export',
    ['sim', 'run', scenarios, '--export', 'x'],
    /exports no scenario 'x', but manyLetters, oneLetter/,
  ],
  ['unknown faults', ['sim', 'run', scenarios, '--faults', 'some'], /Allowed choices are standard, none, all/],
  ['an unknown strategy', ['sim', 'run', scenarios, '--strategy', 'best'], /Allowed choices are fifo/],
  ['no seeds', ['sim', 'run', scenarios, '--seeds', '0'], /It is 1 or more/],
  ['a case that is not there', ['sim', 'replay', 'none.json'], /there is no case none\.json/],
])(
  'given %s, when the program is called, then it is wrong usage, told to the person only',
  async (_what, args, note) => {
    const { code, stdout, notes } = await echelon(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(notes.join('\n')).toMatch(note)
  },
)

test('given a file that is no case, when it is replayed, then the error says what it is', async () => {
  const { code, stdout, notes } = await echelon('sim', 'replay', 'package.json')
  expect([code, stdout]).toEqual([1, ''])
  expect(notes.join()).toMatch(/package\.json: is no simcase of version 1.*\[SIMULATION_CASE\]/s)
})

test.each(['run', 'replay', 'shrink', 'ui'])(
  'given --help, when it is asked of %s, then usage, options and examples are the result',
  async (name) => {
    const { code, stdout, notes } = await echelon('sim', name, '--help')
    expect([code, notes]).toEqual([0, []])
    expect(stdout).toMatch(new RegExp(`^Usage: echelon sim ${name} \\[options\\] <`))
    expect(stdout).toContain(`Examples:\n  echelon sim ${name} `)
    expect(stdout).toContain('Exit codes: 0 nothing broke, 1 failed or something broke, 2 called')
  },
)

test('given a signal, when a campaign is to end, then it ends early and silently, with the code of the signal', async () => {
  const host = testHost()
  host.stop(new EndedError(130))
  expect([await run(['sim', 'run', scenarios], host), host.written.notes]).toEqual([130, []])
})
