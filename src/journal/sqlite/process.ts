/* eslint-disable no-restricted-imports -- this adapter is the edge: who has the file is a question to the system */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { LeaseRow } from './tables.ts'

/** What tells one process from all others that had or will have its pid, as far as the system says it. */
interface ProcessMark {
  readonly boot: string
  readonly start: string
  /** Which thread of the process has it open, and which opening of that thread it is. */
  readonly thread: number
  readonly opening: number
}

export const thisHost = hostname()
const boot = read('/proc/sys/kernel/random/boot_id')

/** Written down with a lease: see `mayBeAlive`. */
export function markOf(thread: number, opening: number): string {
  const mark: ProcessMark = { boot, start: startOf(process.pid) ?? '', thread, opening }
  return JSON.stringify(mark)
}

/**
 * Whether the process that holds a lease may still be there. Of another machine, or of one that was started anew, only
 * the expiry can tell. `openings`: those of this thread that are open.
 */
export function mayBeAlive(row: LeaseRow, nowMs: number, thread: number, openings: readonly number[]): boolean {
  if (row.expiresAtMs === 0) return false
  const mark = JSON.parse(row.process) as ProcessMark // what `markOf` wrote: the row has a checksum
  if (row.host !== thisHost || mark.boot !== boot) return row.expiresAtMs > nowMs
  const start = startOf(row.pid)
  if (start === undefined || (start !== '' && start !== mark.start)) return false
  return row.pid !== process.pid || mark.thread !== thread || openings.includes(mark.opening)
}

/** When a process was started, in ticks since the boot; empty where the system does not say it, `undefined` for none. */
function startOf(pid: number): string | undefined {
  if (boot === '') return isRunning(pid) ? '' : undefined
  // The name of the program, in brackets, may have spaces and brackets in it.
  const [state, ...fields] = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? []
  return state === undefined || state === '' || state === 'Z' || state === 'X' ? undefined : fields[18]
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
