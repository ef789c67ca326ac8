import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A title, and an installed tool with its arguments. */
type Step = readonly [title: string, tool: string, ...args: string[]]

/** Runs all steps one after the other, also past one that fails, and says which did. Answers the exit code. */
export async function runAll(steps: readonly Step[]): Promise<number> {
  const failed: string[] = []
  for (const [title, tool, ...args] of steps) {
    const startedMs = performance.now()
    const [code] = (await once(spawn(tool, args, { stdio: 'inherit' }), 'exit')) as [number | null] // `exit` gives (code, signal)
    if (code !== 0) failed.push(title)
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${title} (${seconds} s)\n`)
  }
  if (failed.length > 0) process.stdout.write(`Failed: ${failed.join(', ')}\n`)
  return failed.length === 0 ? 0 : 1
}
