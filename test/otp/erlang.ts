import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Readable, Writable } from 'node:stream'
import * as z from 'zod'
import type { ChildCase, OtpCase, Step, TreeCase } from './case.ts'
import type { Trace } from './trace.ts'

/** One real Erlang with many cases in it. */
export interface Erlang extends AsyncDisposable {
  /** What OTP's supervisor does with the case. Many may be asked at once: they run beside each other. */
  run(otpCase: OtpCase): Promise<Trace>
}

const source = fileURLToPath(new URL('./oracle', import.meta.url))
const boot = `{ok,M,B}=compile:file(${JSON.stringify(source)},[binary,report]),code:load_binary(M,"oracle",B),oracle:main().`

/** Starts `erl` with `oracle.erl`, which is compiled in memory. The process ends when its input ends. */
export function startErlang(): Erlang {
  const flags = ['+S', '1:1', '-noinput', '-noshell', '-boot', 'start_clean', '-eval', boot]
  const erl = spawn('erl', flags, { stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'] })
  // The two pipes that the line above asked for.
  const [, , , input, output] = erl.stdio as unknown as [null, null, null, Writable, Readable]
  const waiting = new Map<number, { resolve: (trace: Trace) => void; reject: (error: Error) => void }>()
  let asked = 0
  const ended = new Promise<void>((resolve) => {
    const end = (why: string): void => {
      for (const { reject } of waiting.values()) reject(new Error(why))
      resolve()
    }
    erl.once('error', (error) => end(`erl does not start: ${error.message}`))
    erl.once('exit', (code) => end(`erl ended with ${code}`))
  })
  createInterface({ input: output }).on('line', (line) => {
    const [number, answer] = [Number(line.slice(0, line.indexOf('\t'))), line.slice(line.indexOf('\t') + 1)]
    const asker = waiting.get(number)
    waiting.delete(number)
    try {
      asker?.resolve(answerSchema.parse(JSON.parse(answer)))
    } catch (error) {
      asker?.reject(new Error(`the oracle failed: ${answer}`, { cause: error }))
    }
  })
  return {
    run: (otpCase) =>
      new Promise((resolve, reject) => {
        asked += 1
        waiting.set(asked, { resolve, reject })
        input.write(`${renderCase(asked, otpCase)}\n`)
      }),
    async [Symbol.asyncDispose]() {
      input.end()
      await ended
    },
  }
}

const eventSchema = z
  .tuple([
    z.string(),
    z.enum([
      'start',
      'start_failed',
      'start_ignored',
      'sup_start',
      'stop',
      'ignores_signal',
      'exits',
      'killed',
      'sup_exit',
    ]),
    z.string(),
    z.string(),
  ])
  .transform(([owner, kind, id, reason]) => ({ owner, kind, id, reason }))
const answerSchema = z.array(
  z.strictObject({
    answer: z.string(),
    events: z.array(eventSchema),
    state: z.array(
      z.strictObject({
        id: z.string(),
        children: z.array(z.tuple([z.string(), z.string()])),
        counts: z.array(z.number()),
      }),
    ),
  }),
)

// ------------------------------------------------------------------ Erlang text

const id = (name: string): string => `<<"${name}">>`
const list = (items: readonly string[]): string => `[${items.join(',')}]`
const tuple = (...items: readonly (string | number | boolean)[]): string => `{${items.join(',')}}`

/**
 * The case as one Erlang term: see the head of `oracle.erl` for its shape. OTP's own module runs it, untouched, unless
 * time has to pass, or real time could close a window of under five seconds on a busy machine.
 */
export function renderCase(number: number, { tree, steps }: OtpCase): string {
  const engine = steps.some((step) => step.do === 'advance') || shortestPeriodS(tree) < 5 ? 'clocked' : 'real'
  return `${tuple(number, engine, renderTree(tree), list(steps.map(renderStep)))}.`
}

const shortestPeriodS = (tree: TreeCase): number => {
  const children = tree.strategy === 'dynamic' ? [tree.child] : tree.children
  const nested = children.map(({ runs }) => (typeof runs === 'object' ? shortestPeriodS(runs) : Infinity))
  return Math.min(tree.periodS, ...nested)
}

const renderTree = (tree: TreeCase): string =>
  tuple(
    tree.strategy,
    id(tree.id),
    tree.intensity,
    tree.periodS,
    tree.autoShutdown,
    tree.strategy === 'dynamic' ? renderChild(tree.child) : list(tree.children.map(renderChild)),
  )

const renderChild = (child: ChildCase): string =>
  tuple(
    id(child.id),
    child.restart,
    child.shutdown,
    child.significant,
    list(child.script),
    typeof child.runs === 'object' ? renderTree(child.runs) : child.runs,
  )

const reasons = { normal: 'normal', shutdown: 'shutdown', 'shutdown(x)': '{shutdown,x}', crash: 'boom' }

function renderStep(step: Step): string {
  switch (step.do) {
    case 'exit':
      return tuple('exit', id(step.id), reasons[step.how])
    case 'kill':
      return tuple('kill', id(step.id))
    case 'together':
      return tuple('together', id(step.supervisor), list(step.exits.map(renderStep)), list(step.asks.map(renderStep)))
    case 'start_child':
      return tuple('start_child', id(step.supervisor), renderChild(step.child))
    case 'start_dynamic':
      return tuple('start_dynamic', id(step.supervisor), id(step.id), list(step.script))
    case 'terminate_child':
    case 'restart_child':
    case 'delete_child':
    case 'terminate_dynamic':
      return tuple(step.do, id(step.supervisor), id(step.id))
    case 'count_children':
      return tuple(step.do, id(step.supervisor))
    case 'advance':
      return tuple('advance', step.ms)
    case 'stop':
      return 'stop'
    default:
      return step satisfies never
  }
}
