import { rmSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'

import { ReviewError } from '../errors.ts'

/**
 * Writes the files of a review so that each is there whole or not at all.
 *
 * All texts go to temporary files in the target folder first (a rename is atomic only within one file system), are forced
 * to disk, and take their names at the end, together. What fails or is interrupted before that leaves nothing behind.
 */
export class ReportFolder {
  readonly path: string
  readonly #temporary = new Set<string>()

  private constructor(folder: string) {
    this.path = folder
  }

  /** @throws {ReviewError} `OUTPUT_NOT_A_FOLDER` when `folder` is something else or cannot be made. */
  static async open(folder: string): Promise<ReportFolder> {
    try {
      await makeFolder(path.resolve(folder))
      if ((await stat(folder)).isDirectory()) return new ReportFolder(folder)
    } catch (error) {
      throw new ReviewError(
        'OUTPUT_NOT_A_FOLDER',
        `--out ${folder} is not a folder and cannot be made one (${codeOf(error)})`,
        { cause: error },
      )
    }
    throw new ReviewError('OUTPUT_NOT_A_FOLDER', `--out ${folder} is not a folder`)
  }

  /** @throws {ReviewError} `OUTPUT_FAILED`; then no temporary file is left, and no file is half written. */
  async write(files: ReadonlyMap<string, string>): Promise<void> {
    const pending: { readonly temporary: string; readonly target: string }[] = []
    try {
      await this.#removeLeftOvers(files)
      for (const [name, text] of files) {
        const temporary = path.join(this.path, `.${name}.${process.pid}.tmp`)
        await this.#writeTemporary(temporary, text)
        pending.push({ temporary, target: path.join(this.path, name) })
      }
      for (const { temporary, target } of pending) {
        await rename(temporary, target)
        this.#temporary.delete(temporary)
      }
      await this.#syncFolder()
    } catch (error) {
      for (const temporary of this.#temporary) await rm(temporary, { force: true }).catch(() => undefined)
      this.#temporary.clear()
      throw new ReviewError('OUTPUT_FAILED', `The report could not be written to ${this.path} (${codeOf(error)})`, {
        cause: error,
      })
    }
  }

  /** Removes what is half written, at once: for a process that is about to end. */
  abandon(): void {
    for (const temporary of this.#temporary) rmSync(temporary, { force: true })
    this.#temporary.clear()
  }

  /** What processes that were killed while they wrote have left. */
  async #removeLeftOvers(files: ReadonlyMap<string, string>): Promise<void> {
    for (const name of await readdir(this.path)) {
      const [, target = '', pid = ''] = /^\.(.+)\.(\d+)\.tmp$/.exec(name) ?? []
      if (files.has(target) && !isRunning(Number(pid))) await rm(path.join(this.path, name), { force: true })
    }
  }

  async #writeTemporary(temporary: string, text: string): Promise<void> {
    // A left-over of a killed process with the same id, or a link that somebody put there, must not be written through.
    await rm(temporary, { force: true })
    this.#temporary.add(temporary) // before it exists, so that no moment is left in which nobody would remove it
    await using file = await open(temporary, 'wx', 0o644)
    await file.writeFile(text, 'utf8')
    await file.sync()
  }

  /** Makes the new names last. Windows cannot open a folder, and does not need it. */
  async #syncFolder(): Promise<void> {
    if (process.platform === 'win32') return
    await using folder = await open(this.path, 'r')
    await folder.sync()
  }
}

/** One level at a time: Node's recursive `mkdir` never ends where `mkdir` says ENOENT below a folder, as in `/proc`. */
async function makeFolder(folder: string): Promise<void> {
  if (await exists(folder)) return
  await makeFolder(path.dirname(folder)) // the root exists, so this ends
  await mkdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error // somebody else made it meanwhile
  })
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0) // sends nothing
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
}
