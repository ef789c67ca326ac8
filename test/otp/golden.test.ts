import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { child, defineActor, EchelonError } from 'echelon'
import {
  crash,
  deleteChild,
  exit,
  oneForAll,
  oneForOne,
  restartChild,
  restForOne,
  startChild,
  stop,
  terminateChild,
  worker,
} from './build.ts'
import type { ChildCase, ExitHow, StaticTree, Step } from './case.ts'
import { runCase } from './runner.ts'
import type { Entry, Trace, TraceEvent } from './trace.ts'

/** What real OTP 25 printed, section by section: lines of `label   trace`. */
const golden = new Map(
  readFileSync(new URL('./golden-traces.txt', import.meta.url), 'utf8')
    .split('\n## ')
    .slice(1)
    .map((section) => {
      const [title = '', ...lines] = section.trimEnd().split('\n')
      return [title, lines.map((line) => line.trim().replace(/ +/, ' ').replaceAll(/ {2,}/g, ' '))] as const
    }),
)

// ------------------------------------------------------------------ Erlang's spelling

const reason = (text: string): string => {
  const failed = /^failed_to_start\((.*)\)$/.exec(text)
  if (failed !== null) return `{shutdown,{failed_to_start_child,${failed[1] ?? ''},nope}}`
  return { crash: 'boom', 'shutdown(x)': '{shutdown,x}' }[text] ?? text
}
/** The program that printed the traces wrote no start of the supervisor, and no silent deaths. */
const spoken = ({ kind }: TraceEvent): boolean => kind !== 'sup_start' && kind !== 'killed'
const spell = ({ kind, id, reason: why }: TraceEvent): string =>
  kind === 'sup_exit' ? `{sup_exit,${reason(why)}}` : `{${[kind, id, ...(why === '' ? [] : [reason(why)])].join(',')}}`
const events = (entry: Entry | undefined): string => `[${(entry?.events ?? []).filter(spoken).map(spell).join(',')}]`
const state = (entry: Entry | undefined): string => {
  const [root] = entry?.state ?? []
  return `[${(root?.children ?? []).map(([id, status]) => `{${id},${status === 'running' ? 'pid' : 'undefined'}}`).join(',')}]`
}
const answer = (entry: Entry | undefined): string =>
  entry?.answer === 'ok' ? 'ok' : `{error,${entry?.answer ?? 'nothing'}}`

// ------------------------------------------------------------------ scenarios

const plain = (id: string, given: Parameters<typeof worker>[1] = {}): ChildCase =>
  worker(id, { shutdown: 300, ...given })
const abcd = ['a', 'b', 'c', 'd'].map((id) => plain(id))
const run = (root: StaticTree, ...steps: readonly Step[]): Promise<Trace> => runCase({ tree: root, steps })
const strategies = { one_for_one: oneForOne, rest_for_one: restForOne, one_for_all: oneForAll }
const ways = {
  bye: 'normal',
  bye_shutdown: 'shutdown',
  bye_shutdown_tuple: 'shutdown(x)',
  die: 'crash',
} as const satisfies Record<string, ExitHow>
const fails = (times: number): ChildCase['script'] => ['ok', ...Array.from({ length: times }, () => 'fail' as const)]

const scenarios: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  ...Object.fromEntries(
    Object.entries(strategies).map(([strategy, root]) => [
      `crash of b, strategy ${strategy}`,
      async () => {
        const [init, first, second, third] = await run(
          root({ intensity: 2 }, ...abcd),
          crash('b'),
          crash('b'),
          crash('b'),
        )
        return [
          `init ${events(init)}`,
          `crash b (1) ${events(first)}`,
          `crash b (2) ${events(second)}`,
          `crash b (3, intensity 2) ${events(third)}`,
        ]
      },
    ]),
  ),
  'restart types, one_for_one': async () => {
    const lines: string[] = []
    for (const restart of ['permanent', 'transient', 'temporary'] as const) {
      for (const [word, how] of Object.entries(ways)) {
        const [, last] = await run(oneForOne({ intensity: 5 }, plain('a', { restart })), exit('a', how))
        lines.push(`${restart} ${word} ${events(last)} state=${state(last)}`)
      }
    }
    return lines
  },
  'temporary bystander is dropped in one_for_all': async () => {
    const root = oneForAll({ intensity: 5 }, plain('a'), plain('t', { restart: 'temporary' }), plain('z'))
    const [init, last] = await run(root, crash('a'))
    return [`init ${events(init)}`, `crash a ${events(last)}`, `state ${state(last)}`]
  },
  'transient bystander IS restarted in rest_for_one': async () => {
    const root = restForOne({ intensity: 5 }, plain('a'), plain('t', { restart: 'transient' }), plain('z'))
    const [init, last] = await run(root, crash('a'))
    return [`init ${events(init)}`, `crash a ${events(last)}`, `state ${state(last)}`]
  },
  'start failure during restart is retried and counts, one_for_one intensity 3, b fails 2x': async () => {
    const [, last] = await run(oneForOne({ intensity: 3 }, plain('a'), plain('b', { script: fails(2) })), crash('b'))
    return [`crash b ${events(last)}`, `state ${state(last)}`]
  },
  'same, b fails 3x (1 crash + 3 failed tries > 3)': async () => {
    const [, last] = await run(oneForOne({ intensity: 3 }, plain('a'), plain('b', { script: fails(3) })), crash('b'))
    return [`crash b ${events(last)}`]
  },
  'one_for_all: other child fails to start during group restart': async () => {
    const [, last] = await run(oneForAll({}, plain('a'), plain('b', { script: fails(1) }), plain('c')), crash('c'))
    return [`crash c, b fails 1x ${events(last)}`]
  },
  'rest_for_one: later child fails to start during group restart': async () => {
    const root = restForOne({}, plain('a'), plain('b'), plain('c', { script: fails(1) }), plain('d'))
    const [, last] = await run(root, crash('b'))
    return [`crash b, c fails 1x ${events(last)}`]
  },
  'initial start: third child fails -> started ones stopped in reverse': async () => {
    const root = oneForOne({ intensity: 1 }, plain('a'), plain('b'), plain('c', { script: ['fail'] }), plain('d'))
    const [init] = await run(root)
    return [`trace ${events(init)}`, `error {error,${reason(init?.answer ?? '')}}`]
  },
  'initial start: child returns ignore': async () => {
    const [init] = await run(oneForOne({ intensity: 1 }, plain('a'), plain('b', { script: ['ignore'] }), plain('c')))
    return [`init ${events(init)}`, `state ${state(init)}`]
  },
  'shutdown: reverse order; stubborn child killed after its own timeout; brutal_kill at once': async () => {
    const children = [plain('a'), plain('b', { runs: 'stubborn' }), plain('k', { shutdown: 'brutal_kill' }), plain('d')]
    const [, last] = await run(oneForOne({ intensity: 1 }, ...children), stop)
    const ends = (last?.events ?? []).filter(({ kind }) => kind === 'stop' || kind === 'killed')
    const downs = ends.map(
      ({ kind, id, atMs = 0 }) => `{${id},${kind === 'stop' ? 'shutdown' : 'killed'},${Math.floor(atMs / 100)}}`,
    )
    const signals = (last?.events ?? []).filter(({ kind }) => kind === 'stop' || kind === 'ignores_signal').map(spell)
    return [`downs {id,reason,approx_ms/100} [${downs.join(',')}]`, `signals [${signals.join(',')}]`]
  },
  'auto_shutdown any_significant': async () => {
    const lines: string[] = []
    for (const restart of ['transient', 'temporary'] as const) {
      for (const word of ['bye', 'die'] as const) {
        const children = [plain('a'), plain('g', { restart, significant: true }), plain('z')]
        const [, last] = await run(oneForOne({ autoShutdown: 'any_significant' }, ...children), exit('g', ways[word]))
        lines.push(`significant ${restart} ${word} ${events(last)}`)
      }
    }
    return lines
  },
  'auto_shutdown all_significant': async () => {
    const significant = { restart: 'transient', significant: true } as const
    const root = oneForOne(
      { autoShutdown: 'all_significant' },
      plain('g', significant),
      plain('h', significant),
      plain('z'),
    )
    const [, first, second] = await run(root, exit('g', 'normal'), exit('h', 'normal'))
    return [`g normal ${events(first)}`, `h normal ${events(second)}`]
  },
  'manual admin': async () => {
    const [, dup, running, stopped, present, again, busy, , deleted, gone] = await run(
      oneForOne({}, plain('a')),
      startChild(plain('a')),
      deleteChild('a'),
      terminateChild('a'),
      startChild(plain('a')),
      restartChild('a'),
      restartChild('a'),
      terminateChild('a'),
      deleteChild('a'),
      deleteChild('a'),
    )
    return [
      `start dup ${answer(dup)}`,
      `delete running ${answer(running)}`,
      `terminate ${answer(stopped)} state ${state(stopped)}`,
      `start dup stopped ${answer(present)}`,
      `restart ${answer(again)}`,
      `restart running ${answer(busy)}`,
      `delete ${answer(deleted)} again ${answer(gone)}`,
    ]
  },
}

test.each(Object.entries(scenarios))(
  "given '%s', when it happens here, then the trace is the one that OTP 25 printed",
  async (title, scenario) => {
    expect(await scenario()).toEqual(golden.get(title))
  },
)

test("given the golden traces, when all scenarios have run, then only 'bad specs' has no trace to compare", () => {
  expect([...golden.keys()].filter((title) => !(title in scenarios))).toEqual(['bad specs'])
})

test('given child specs that OTP refuses, when they are made, then they are refused here', () => {
  const idle = defineActor({ name: 'idle', protocol: {}, state: () => undefined, on: {} })
  const specs: Readonly<Record<string, () => unknown>> = {
    'significant permanent': () => child(idle, { significant: true }),
    'negative shutdown': () => child(idle, { shutdown: -1 }),
    // Not a restart type: only untyped code can say it.
    'restart foo': () => child(idle, { restart: 'foo' as 'permanent' }),
  }
  const refused = Object.entries(specs).filter(([, make]) => codeOf(make) === 'CHILD_SPEC_INVALID')
  expect(refused.map(([name]) => name)).toEqual(
    golden.get('bad specs')?.map((line) => line.slice(0, line.indexOf(' {error,'))),
  )
})

function codeOf(make: () => unknown): string | undefined {
  try {
    make()
    return undefined
  } catch (error) {
    return error instanceof EchelonError ? error.code : undefined
  }
}
