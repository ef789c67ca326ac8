import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'

import { readCommandLine } from '../../../examples/dependency-review/command-line.ts'
import { lineSchema } from '../../../examples/dependency-review/show/json-display.ts'
import { linesOf, run } from './program.ts'
import { lockfileOf, ProjectFolder, soundPackage } from './project-folder.ts'

/** Starting a process takes a second or more on a busy machine; nothing here waits for time to pass. */
const SLOW_MS = 60_000
const FILES = ['dependency-review.json', 'dependency-review.md', 'run.json']

/** What a folder has besides an unfinished review. */
async function filesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith('.dependency-review.journal')).sort()
}

async function demo(packages: number): Promise<ProjectFolder> {
  const names = Array.from({ length: packages }, (_, index) => `node_modules/p${index}`)
  return ProjectFolder.make({
    'package.json': { name: 'demo', license: 'MIT' },
    'package-lock.json': lockfileOf(Object.fromEntries(names.map((name) => [name, {}]))),
    ...Object.fromEntries(names.flatMap((name) => Object.entries(soundPackage(name)))),
  })
}

test(
  'given a project in the current folder, when run without options, then three files are there and the exit code is 0',
  async () => {
    await using folder = await demo(3)
    const { code, stdout, stderr } = await run([], { cwd: folder.root })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stdout).toContain('3 packages, 3 examined; findings: 0 critical')
    expect((await readdir(folder.root)).filter((name) => /review|run|tmp/.test(name))).toEqual(FILES)
    const json: unknown = JSON.parse(await readFile(path.join(folder.root, 'dependency-review.json'), 'utf8'))
    expect(json).toMatchObject({ schema: 'dependency-review/1', project: { name: 'demo' }, summary: { packages: 3 } })
  },
  SLOW_MS,
)

test(
  'given --chaos and --seed, when run, then both files are the calm ones, and run.json tells the difference',
  async () => {
    await using folder = await demo(20)
    const runs = [
      [],
      ['--chaos', '0.1', '--seed', '5'],
      ['--chaos', '0.8', '--seed', '5'],
      ['--chaos', '0.8', '--seed', '5'],
    ]
    const found = []
    for (const [index, options] of runs.entries()) {
      const out = path.join(folder.outside, `new/folder/${index}`)
      expect((await run(['--input', folder.root, '--out', out, ...options], { cwd: folder.outside })).code).toBe(0)
      const [json, markdown, facts] = await Promise.all(FILES.map((name) => readFile(path.join(out, name), 'utf8')))
      found.push({
        report: `${markdown}${json}`,
        run: JSON.parse(facts ?? '') as { seed: number; chaos: number; restarts: number },
      })
    }
    for (const { report } of found) expect(report).toBe(found[0]?.report)
    expect(found[0]?.report).not.toContain(folder.outside)
    expect(found[0]?.run.restarts).toBe(0)
    expect(found[2]?.run).toMatchObject({ seed: 5, chaos: 0.8 })
    expect(found[2]?.run.restarts).toBeGreaterThan(100)
    expect(found[3]?.run.restarts).toBe(found[2]?.run.restarts)
  },
  SLOW_MS,
)

test(
  'given --json, when run, then every line of standard output keeps to the schema, and standard error is empty',
  async () => {
    await using folder = await demo(10)
    const ended = await run(['--json', '--chaos', '0.3', '--seed', '1'], { cwd: folder.root })
    const lines = linesOf(ended)
    expect(ended.stderr).toBe('')
    expect(lines.at(0)).toMatchObject({ type: 'started', chaos: 0.3, seed: 1 })
    expect(lines.filter(({ type }) => type === 'progress').at(-1)).toMatchObject({
      done: 30,
      total: 30,
      leftMs: 0,
      packages: 10,
    })
    expect(lines.at(-1)).toMatchObject({ type: 'finished', packages: 10, examined: 10 })
  },
  SLOW_MS,
)

test.each<readonly [string, readonly string[], string]>([
  ['a folder that is not there', ['--input', 'nowhere'], 'INPUT_MISSING'],
  ['a file', ['--input', 'package.json'], 'INPUT_NOT_A_FOLDER'],
  ['a folder that is no project', ['--input', '..'], 'INPUT_NOT_A_PROJECT'],
  ['an output below a file', ['--out', 'package.json/x'], 'OUTPUT_NOT_A_FOLDER'],
  ['an output deep below a file', ['--out', 'package.json/x/y'], 'OUTPUT_NOT_A_FOLDER'],
  // Nobody can make a folder there, not even root, and mkdir says ENOENT though the parent exists.
  ...(existsSync('/proc') ? [['an output in /proc', ['--out', '/proc/nope/x'], 'OUTPUT_NOT_A_FOLDER'] as const] : []),
])(
  'given %s, when run, then it says so with a code, ends with 2 and writes nothing',
  async (_, args, code) => {
    await using folder = await demo(1)
    // One after the other: of two at once, one may find the journal of the other as that is removed.
    const ended = await run(args, { cwd: folder.root })
    const asJson = await run(['--json', ...args], { cwd: folder.root })
    expect([ended.code, asJson.code]).toEqual([2, 2])
    expect(ended.stderr).toContain(`[${code}]`)
    expect(ended.stderr).not.toContain('    at ')
    expect(linesOf(asJson).at(-1)).toMatchObject({ type: 'failed', code })
    expect((await readdir(folder.root)).sort()).toEqual(['node_modules', 'package-lock.json', 'package.json'])
  },
  SLOW_MS,
)

test(
  'given an option that is unknown, when run with --json, then even that is a line of JSON',
  async () => {
    await using folder = await demo(1)
    const ended = await run(['--json', '--fast'], { cwd: folder.root })
    expect(ended.code).toBe(2)
    expect(linesOf(ended)).toEqual([
      { type: 'failed', code: 'USAGE', message: expect.stringMatching(/--fast.*Try --help/) as unknown },
    ])
  },
  SLOW_MS,
)

test.each([
  [['--fast']],
  [['here']],
  [['--input']],
  [['--input', '']],
  [['--out', ' ']],
  [['--chaos', '1.5']],
  [['--chaos', '-0.1']],
  [['--chaos', 'much']],
  [['--chaos', '']],
  [['--seed', '1.5']],
  [['--seed', '1e99']],
  [['--json=yes']],
  [['--fresh=no']],
  [['--journal', '']],
])('given the arguments %j, when read, then they are refused with USAGE', (args) => {
  expect(() => readCommandLine(args, '/here')).toThrow(expect.objectContaining({ code: 'USAGE', exitCode: 2 }) as Error)
})

test('given arguments, when read, then defaults fill the rest', () => {
  expect(readCommandLine([], '/here')).toEqual({
    input: '/here',
    out: '/here',
    journal: undefined,
    fresh: false,
    json: false,
    chaos: 0,
    seed: undefined,
    help: false,
  })
  expect(readCommandLine(['--chaos', '1', '--seed=-7', '--input', 'a'], '/here')).toMatchObject({
    chaos: 1,
    seed: -7,
    input: 'a',
    out: '/here',
  })
})

test(
  'given --help, when run, then it tells the options and the exit codes',
  async () => {
    await using folder = await demo(0)
    const { code, stdout } = await run(['--help'], { cwd: folder.root })
    expect(code).toBe(0)
    for (const word of ['--input', '--out', '--fresh', '--journal', '--json', '--chaos', '--seed', '130', '143'])
      expect(stdout).toContain(word)
  },
  SLOW_MS,
)

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'given a review under way, when %s comes, then it ends with %d, and what stood there before still does',
  async (signal, code) => {
    await using folder = await demo(30)
    const out = path.join(folder.outside, 'out')
    await mkdir(out)
    await writeFile(path.join(out, 'dependency-review.md'), 'the old one')
    let sent = false
    const ended = await run(['--input', folder.root, '--out', out, '--json', '--chaos', '1'], {
      cwd: folder.outside,
      onLine: (line, kill) => {
        const parsed = lineSchema.parse(JSON.parse(line))
        if (sent || parsed.type !== 'progress' || parsed.total === 0) return
        sent = true
        kill(signal)
      },
    })
    expect(ended.code).toBe(code)
    expect(linesOf(ended).at(-1)).toMatchObject({
      type: 'interrupted',
      signal,
      total: 90,
      notWritten: ['dependency-review.md', 'dependency-review.json', 'run.json'],
    })
    expect(await filesIn(out)).toEqual(['dependency-review.md'])
    expect(await readFile(path.join(out, 'dependency-review.md'), 'utf8')).toBe('the old one')
  },
)

test(
  'given a review that drains, when a second signal comes, then it ends at once and leaves nothing',
  async () => {
    await using folder = await demo(30)
    const out = path.join(folder.outside, 'out')
    let sent = false
    const ended = await run(['--input', folder.root, '--out', out, '--json', '--chaos', '1'], {
      cwd: folder.outside,
      onLine: (line, kill) => {
        const parsed = lineSchema.parse(JSON.parse(line))
        if (sent || parsed.type !== 'progress' || parsed.total === 0) return
        sent = true
        kill('SIGINT')
        kill('SIGTERM')
      },
    })
    expect([130, 143]).toContain(ended.code)
    expect(await filesIn(out)).toEqual([])
  },
  SLOW_MS,
)

test(
  'given an interrupt at any moment, when it ends, then the three files are all there and whole, or none is',
  async () => {
    await using folder = await demo(30)
    // Moments are counted in lines of progress, from the first to after the last.
    for (const moment of [0, 1, 3, 6, 10]) {
      const out = path.join(folder.outside, `out-${moment}`)
      let count = 0
      const ended = await run(['--input', folder.root, '--out', out, '--json', '--chaos', '0.5', '--seed', '1'], {
        cwd: folder.outside,
        onLine: (_, kill) => {
          if (count === moment) kill('SIGINT')
          count += 1
        },
      })
      const names = await filesIn(out)
      // One that ends already has no handlers any more, and a shell calls that 130, too.
      expect([0, 130, 'SIGINT'], `moment ${moment}`).toContain(ended.code ?? ended.signal)
      if (names.length === 0) continue
      expect(names).toEqual(FILES)
      for (const name of names.filter((file) => file.endsWith('.json')))
        JSON.parse(await readFile(path.join(out, name), 'utf8'))
      expect(await readFile(path.join(out, 'dependency-review.md'), 'utf8')).toMatch(/families by their names\.\n$/)
    }
  },
  SLOW_MS,
)
