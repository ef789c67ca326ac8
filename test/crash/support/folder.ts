import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Folder extends Disposable {
  readonly path: string
  /** The path of a file in it. */
  file(name: string): string
}

/** A folder that is gone after its use, also when the process ends before. */
export function temporaryFolder(): Folder {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-crash-'))
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true })
  }
  process.on('exit', remove)
  return {
    path: folder,
    file: (name) => path.join(folder, name),
    [Symbol.dispose]: () => {
      process.off('exit', remove)
      remove()
    },
  }
}

/** A command that is told to end tidies up. */
export function tidyOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      process.exit(1)
    })
}

/** A new folder, that stays. */
export function keptFolder(folder: string): Folder {
  mkdirSync(folder)
  return { path: folder, file: (name) => path.join(folder, name), [Symbol.dispose]: () => undefined }
}
