/** What a subject has to give back when its process ends. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const tasks: (() => unknown)[] = []

/** Runs `task` at the end of this process, the last first. */
export function atEnd(task: () => unknown): void {
  tasks.push(task)
}

export async function end(): Promise<void> {
  for (const task of tasks.reverse()) await task()
}

/** A folder on the disk that is measured. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'echelon-bench-'))
  atEnd(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}
