import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Program } from '../../support/programs.ts'

/** What a person reads where system calls cannot be made to fail. */
export const straceMissing =
  'strace not installed: tests of failing disks skipped; install with: apt-get install strace'

export const strace = new Program('strace', straceMissing)

export interface Tracer {
  /** Resolves when the process that it looks at is gone, and all that it saw is written. */
  readonly ended: Promise<unknown>
}

/** Lets strace look at a process that runs. Resolves when it does. */
export async function attachStrace(pid: number, args: readonly string[]): Promise<Tracer> {
  const tracer = spawn('strace', [...args, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(tracer, 'close')
  let said = ''
  for await (const chunk of tracer.stderr.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    if (!said.includes('attached')) continue
    tracer.stderr.resume()
    return { ended }
  }
  throw new Error(`strace cannot attach: ${said}`)
}
