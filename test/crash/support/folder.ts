import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Folder extends Disposable {
  readonly path: string
  /** The path of a file in it. */
  file(name: string): string
}

/** A folder that is gone after its use. */
export function temporaryFolder(): Folder {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-crash-'))
  return {
    path: folder,
    file: (name) => path.join(folder, name),
    [Symbol.dispose]: () => {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A new folder, that stays. */
export function keptFolder(folder: string): Folder {
  mkdirSync(folder)
  return { path: folder, file: (name) => path.join(folder, name), [Symbol.dispose]: () => undefined }
}
