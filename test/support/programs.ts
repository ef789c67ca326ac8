import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'vitest'

/** A program beside Node that some tests compare with. */
export class Program {
  readonly #line: string

  /** @param missing What a person reads, loudly, at the end of a test run that lacks the program. */
  constructor(name: string, missing: string) {
    this.installed = onPath(name)
    this.#line = missing
  }

  readonly installed: boolean

  /** First thing in a test that needs the program: skips the test where it is missing. */
  orSkip(context: TestContext): void {
    context.skip(!this.installed, this.#line)
  }
}

export const erlang = new Program(
  'erl',
  'Erlang not installed: OTP differential test skipped; install with: apt-get install erlang-base',
)

function onPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
