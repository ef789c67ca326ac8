/** Starts the process of a subject, in Node or in Erlang, and asks it for one run at a time. */

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
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
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning', ...(bench.nodeFlags ?? [])],
    serialization: 'advanced',
  })
  await nextReport(child)
  return {
    async run(ms) {
      child.send(ms)
      const report = await nextReport(child)
      if (report.kind === 'sample') return report.sample
      throw new Error(report.kind === 'failed' ? report.reason : `unexpected report "${report.kind}"`)
    },
    close: () => end(child, () => child.disconnect()),
  }
}

/** The next report of `child`, or a failure when it ends without one. */
async function nextReport(child: ChildProcess): Promise<Report> {
  const ended = new AbortController()
  const onExit = (code: number | null, by: string | null) => ended.abort(new Error(`ended with ${by ?? code ?? 'nothing'}`))
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

/** `folder` holds the compiled modules; see `bench_frame.erl` for the other end of the conversation. */
export async function startErlang(subject: ErlangSubject, folder: string): Promise<SubjectProcess> {
  const args = ['-noshell', '+S', '1:1', ...subject.flags, '-pa', folder, '-s', 'bench_frame', 'main']
  const child = spawn('erl', [...args, '-extra', subject.module, subject.function], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async run(ms) {
      child.stdin.write(`${ms}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error('the Erlang process ended')
      const [value = Number.NaN, p99] = line.value.split(' ').map(Number)
      if (Number.isNaN(value)) throw new Error(`Erlang answered "${line.value}"`)
      return p99 === undefined ? { value } : { value, p99 }
    },
    close: () => end(child, () => child.stdin.end()),
  }
}

async function end(child: ChildProcess, ask: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  ask()
  await exited
}
