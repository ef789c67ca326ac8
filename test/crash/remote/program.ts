/** A process with a runtime on a journal, that does what it is told, line by line; see `commands.ts`. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { createRuntime, defineActor, EchelonError, question, systemClock, type Runtime } from 'echelon'
import { JournalLockedError, sqliteJournal } from 'echelon/journal'
import { account, purse } from '../disk/actors.ts'
import { Outside } from '../kill/outside.ts'
import { wait } from '../support/programs.ts'
import type { Command, Reply, Request } from './commands.ts'

const [file = '', outsideFile = '', how = ''] = process.argv.slice(2)
const say = (reply: Reply): void => {
  writeSync(1, `${JSON.stringify(reply)}\n`)
}

const outside = new Outside(outsideFile, `process ${process.pid}`)
const wallet = purse(outside)
const echo = defineActor({
  name: 'echo',
  protocol: { ping: question({}, z.literal('pong')) },
  state: () => 0,
  on: {
    ping: ({ reply }) => {
      reply('pong')
    },
  },
})
/** Looked at so often; what it says is later than this at most by what was late. */
const resolutionMs = 5
const delays = monitorEventLoopDelay({ resolution: resolutionMs })
const patient = { timeoutMs: 60_000 }

const runtime = await begin()
if (runtime !== undefined) await serve(runtime)

async function begin(): Promise<Runtime | undefined> {
  try {
    const journal = sqliteJournal(file, { takeOver: how === 'take over' })
    const started = await createRuntime({
      ...{ journal, definitions: [account, wallet], node: `node-${process.pid}` },
      onInDoubt: (doubt) => outside.settle(doubt),
    })
    started.on('journal-failed', ({ error }) => {
      say({ kind: 'journal failed', code: codeOf(error) })
    })
    say({ kind: 'up' })
    return started
  } catch (error) {
    const ownerPid = error instanceof JournalLockedError ? error.owner.pid : undefined
    say({ kind: 'refused', code: codeOf(error), text: String(error), ownerPid })
    return undefined
  }
}

async function serve(runtime: Runtime): Promise<void> {
  const pinged = runtime.spawn(echo)
  const obey: { readonly [K in Command['do']]: (command: Extract<Command, { do: K }>) => Promise<unknown> } = {
    tell: ({ key, n, filling = '' }) =>
      runtime.get(account, key).tell({ type: 'account.add', n, filling }, { durable: true, id: String(n) }),
    read: ({ key }) => runtime.get(account, key).ask({ type: 'account.read' }, patient),
    pay: ({ key }) => runtime.get(wallet, 'p').ask({ type: 'purse.pay', key }, patient),
    ping: () => pinged.ask({ type: 'ping' }),
    'tell on': async ({ key, n }) => {
      const ref = runtime.get(account, key)
      for (let next = n; ; next += 1)
        try {
          await ref.tell({ type: 'account.add', n: next, filling: '' }, { durable: true, id: String(next) })
          // In a pause nothing is in the middle of a write.
          await wait(10)
        } catch (error) {
          return { last: next - 1, code: codeOf(error) }
        }
    },
    lateness: async () => {
      const lateMs = delays.max / 1e6 - resolutionMs
      delays.reset()
      delays.enable()
      return lateMs
    },
    'shut down': () => runtime.shutdown(),
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request // what a test wrote
    const run = obey[request.do] as (command: Command) => Promise<unknown> // the one for this command
    void answer(request.id, () => run(request))
  }
}

async function answer(id: number, run: () => Promise<unknown>): Promise<void> {
  const beganMs = systemClock.now()
  try {
    say({ kind: 'value', id, value: (await run()) ?? null, ms: systemClock.now() - beganMs })
  } catch (error) {
    const cause = error instanceof Error ? codeOf(error.cause) : ''
    say({ kind: 'error', id, code: codeOf(error), cause, text: String(error) })
  }
}

function codeOf(error: unknown): string {
  if (error instanceof EchelonError) return error.code
  return error instanceof Error ? `untyped: ${error.message}` : ''
}
