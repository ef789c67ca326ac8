import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeSync, openSync, closeSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'vitest'
import type { Folder } from './folder.ts'

/** What a person reads where no small disk can be made. */
const missing = 'Not root: tests of a full disk skipped; they mount a file system in memory, so run them as root'

/** First thing in a test that needs a small disk: skips the test, loudly, where none can be made. */
export function smallDiskOrSkip(context: TestContext): void {
  context.skip(process.platform !== 'linux' || process.getuid?.() !== 0, missing)
}

/** A file system of its own, in memory, with room for little. */
export interface SmallDisk extends Disposable {
  readonly path: string
  /** Takes all space that is left. Answers how many bytes that was. */
  fill(): number
  free(): void
}

export function smallDisk(folder: Folder, bytes: number): SmallDisk {
  const place = folder.file('disk')
  const filler = path.join(place, 'filler')
  mkdirSync(place)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'echelon-test', place])
  const unmount = (): void => {
    // Lazily: a process that is on its way out may still have files open.
    execFileSync('umount', ['-l', place])
  }
  // Before the folder is removed that it is in.
  process.prependListener('exit', unmount)
  return {
    path: place,
    fill: () => {
      const fd = openSync(filler, 'a')
      try {
        return writeUntilFull(fd)
      } finally {
        closeSync(fd)
      }
    },
    free: () => {
      rmSync(filler)
    },
    [Symbol.dispose]: () => {
      process.off('exit', unmount)
      unmount()
    },
  }
}

function writeUntilFull(fd: number): number {
  const page = Buffer.alloc(4096)
  for (let written = 0; ;)
    try {
      written += writeSync(fd, page)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return written
      throw error
    }
}
