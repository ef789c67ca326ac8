/** Starts the process of a subject, in Node or in Erlang, and asks it for one run at a time. */

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Bench, ErlangSubject, Sample } from './bench.ts'

export interface SubjectProcess {
  run(ms: number): Promise<Sample>
  close(): Promise<void>
}

type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'sample'; readonly sample: Sample }
  | { readonly kind: 'failed'; readonly reason: string }

export async function startNode(bench: Bench, subject: string): Promise<SubjectProcess> {
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), [bench.name, subject], {
    execArgv: [...process.execArgv, '--expose-gc', ...(bench.nodeFlags ?? [])],
    serialization: 'advanced',
  })
  await nextReport(child)
  return {
    async run(ms) {
      child.send(ms)
      const report = await withinLimit(nextReport(child))
      if (report.kind === 'sample') return report.sample
      throw new Error(report.kind === 'failed' ? report.reason : `unexpected report "${report.kind}"`)
    },
    close: () => end(child, () => child.disconnect()),
  }
}

/** The next report of `child`, or a failure when it ends without one. */
async function nextReport(child: ChildProcess): Promise<Report> {
  const ended = new AbortController()
  const onExit = (code: number | null, by: string | null) =>
    ended.abort(new Error(`ended with ${by ?? code ?? 'nothing'}`))
  child.once('exit', onExit)
  try {
    // The other end is `child.ts`, which sends nothing but reports.
    const [report] = (await once(child, 'message', { signal: ended.signal })) as [Report]
    return report
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error
  } finally {
    child.off('exit', onExit)
  }
}

/** A run that takes this long will not end: a message was lost on the way. */
const limitMs = 300_000

async function withinLimit<T>(answer: Promise<T>): Promise<T> {
  const over = new AbortController()
  const timeout = setTimeout(limitMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`no result after ${limitMs / 1_000} s`)
  })
  try {
    return await Promise.race([answer, timeout])
  } finally {
    timeout.catch(() => undefined) // aborted on purpose
    over.abort()
  }
}

/** `folder` holds the compiled modules; see `bench_frame.erl` for the other end of the conversation. */
export function startErlang(subject: ErlangSubject, folder: string): SubjectProcess {
  const args = ['-noshell', '+S', '1:1', ...subject.flags, '-pa', folder, '-s', 'bench_frame', 'main']
  const child = spawn('erl', [...args, '-extra', subject.module, subject.function], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async run(ms) {
      child.stdin.write(`${ms}\n`)
      const line = await withinLimit(lines.next())
      if (line.done === true) throw new Error('the Erlang process ended')
      const [value = Number.NaN, p99] = line.value.split(' ').map(Number)
      if (Number.isNaN(value)) throw new Error(`Erlang answered "${line.value}"`)
      return p99 === undefined ? { value } : { value, p99 }
    },
    close: () => end(child, () => child.stdin.end()),
  }
}

/** Both kinds end when the line to them closes; one that is stuck in a run does not hear it. */
async function end(child: ChildProcess, hangUp: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  hangUp()
  const patience = new AbortController()
  void setTimeout(5_000, undefined, { signal: patience.signal }).then(
    () => child.kill('SIGKILL'),
    () => undefined, // it ended in time
  )
  await exited
  patience.abort()
}
