/**
 * The project's folder, and nothing else: every read is confined to it and bounded.
 *
 * A dependency's files are hostile until shown otherwise. A symbolic link may lead to a private key, a `package.json` may
 * be a pipe that never ends or a gigabyte of braces, a folder may hold a million files. So: paths are resolved before they
 * are opened and refused outside of the root, only regular files are read, and each read and walk has a limit.
 */
import { constants } from 'node:fs'
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises'
import path from 'node:path'

import { ReviewError } from './errors.ts'
import { compareText } from './text.ts'

export type ReadResult =
  | {
      readonly kind: 'text'
      readonly text: string
      readonly bytes: number
      readonly truncated: boolean
      readonly byteOrderMark: boolean
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'outside' }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** All files below one folder. `truncated` when the limit was reached; `bytes` and `files` are lower bounds then. */
export interface FolderListing {
  /** Paths relative to the folder, posix, sorted. */
  readonly files: readonly string[]
  readonly bytes: number
  readonly truncated: boolean
  /** Symbolic links in the folder that lead outside of the project. They are not followed. */
  readonly linksOutside: readonly string[]
  /** Folders that could not be listed. */
  readonly unreadable: readonly string[]
}

/** Most entries that one walk looks at: the largest packages in use have about 20,000 files. */
export const MAX_FILES_PER_PACKAGE = 50_000

export type Presence = 'file' | 'folder' | 'missing' | 'outside' | 'other'

/** The words for a failed system call, without its path (paths differ between machines; codes do not). */
function failure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const words: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    ELOOP: 'a symbolic link that leads to itself',
    ENAMETOOLONG: 'its path is too long',
    EIO: 'the disk reports an error',
    EMFILE: 'too many open files',
  }
  return words[code] ?? (code === '' ? 'it cannot be read' : `it cannot be read (${code})`)
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

export class Disk {
  /** Absolute, with every symbolic link resolved. */
  readonly root: string
  /** What the path of everything below it begins with. */
  readonly #prefix: string

  private constructor(root: string) {
    this.root = root
    this.#prefix = root.endsWith(path.sep) ? root : root + path.sep // the root of a drive ends so
  }

  /** @throws the file system's own error when `root` does not exist. */
  static async open(root: string): Promise<Disk> {
    return new Disk(await realpath(root))
  }

  /** Whether a relative path stays below the root by its spelling alone. */
  static isConfined(relative: string): boolean {
    if (relative.includes('\0') || path.isAbsolute(relative) || path.win32.isAbsolute(relative)) return false
    return !relative.split(/[/\\]/).includes('..')
  }

  /** The absolute path behind `relative`, or why there is none. */
  async #resolve(relative: string): Promise<{ real: string } | Exclude<ReadResult, { kind: 'text' }>> {
    if (!Disk.isConfined(relative)) return { kind: 'outside' }
    try {
      const real = await realpath(path.join(this.root, relative))
      if (real !== this.root && !real.startsWith(this.#prefix)) return { kind: 'outside' }
      return { real }
    } catch (error) {
      return isAbsent(error) ? { kind: 'missing' } : { kind: 'unreadable', reason: failure(error) }
    }
  }

  /** At most the first `maxBytes` of a regular file as UTF-8, without a byte order mark. */
  async readText(relative: string, maxBytes: number): Promise<ReadResult> {
    const resolved = await this.#resolve(relative)
    if (!('real' in resolved)) return resolved
    try {
      // NONBLOCK: opening a pipe would wait for a writer for ever. NOFOLLOW: the last step was resolved above.
      // Windows has neither flag, and `|` takes what is undefined for 0.
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
      await using file = await open(resolved.real, flags)
      const info = await file.stat()
      if (!info.isFile()) return { kind: 'unreadable', reason: 'it is not a regular file' }
      const buffer = Buffer.alloc(Math.min(info.size, maxBytes))
      let filled = 0
      while (filled < buffer.length) {
        const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      const text = buffer.toString('utf8', 0, filled)
      const byteOrderMark = text.startsWith('\ufeff')
      return {
        kind: 'text',
        text: byteOrderMark ? text.slice(1) : text,
        byteOrderMark,
        bytes: info.size,
        truncated: info.size > maxBytes,
      }
    } catch (error) {
      return isAbsent(error) ? { kind: 'missing' } : { kind: 'unreadable', reason: failure(error) }
    }
  }

  async presence(relative: string): Promise<Presence> {
    const resolved = await this.#resolve(relative)
    if (!('real' in resolved)) return resolved.kind === 'unreadable' ? 'other' : resolved.kind
    try {
      const info = await stat(resolved.real)
      return info.isFile() ? 'file' : info.isDirectory() ? 'folder' : 'other'
    } catch (error) {
      return isAbsent(error) ? 'missing' : 'other'
    }
  }

  /** Where a folder really is, relative to the root; null when it is absent or outside. */
  async realPathOf(relative: string): Promise<string | null> {
    const resolved = await this.#resolve(relative)
    return 'real' in resolved ? path.relative(this.root, resolved.real).split(path.sep).join('/') : null
  }

  /** Names in a folder, sorted, with what they are (links are not followed). An absent folder is empty. */
  async list(
    relative: string,
  ): Promise<readonly { readonly name: string; readonly kind: 'file' | 'folder' | 'link' }[]> {
    const resolved = await this.#resolve(relative)
    if (!('real' in resolved)) return []
    try {
      const entries = await readdir(resolved.real, { withFileTypes: true })
      return entries
        .flatMap((entry) => {
          const kind = entry.isSymbolicLink() ? 'link' : entry.isDirectory() ? 'folder' : 'file'
          return [{ name: entry.name, kind } as const]
        })
        .sort((a, b) => compareText(a.name, b.name))
    } catch {
      return []
    }
  }

  /**
   * Walks one package's folder: its own files, without the packages nested in its `node_modules`.
   * The walk is in a fixed order, so a truncated listing is the same each time.
   */
  async walk(relative: string, maxFiles: number = MAX_FILES_PER_PACKAGE): Promise<FolderListing> {
    const files: string[] = []
    const linksOutside: string[] = []
    const unreadable: string[] = []
    let bytes = 0
    let seen = 0
    const pending = ['']
    const resolved = await this.#resolve(relative)
    if (!('real' in resolved)) return { files, bytes, truncated: false, linksOutside, unreadable: ['.'] }
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      const absolute = path.join(resolved.real, folder)
      const entries = await readdir(absolute, { withFileTypes: true }).catch(() => null)
      if (entries === null) {
        unreadable.push(folder === '' ? '.' : folder)
        continue
      }
      entries.sort((a, b) => compareText(a.name, b.name))
      const sizes: Promise<number>[] = []
      for (const entry of entries) {
        const name = folder === '' ? entry.name : `${folder}/${entry.name}`
        if (entry.isDirectory()) {
          if (entry.name !== 'node_modules') pending.push(name)
          continue
        }
        if ((seen += 1) > maxFiles) break
        if (entry.isSymbolicLink()) {
          const target = await this.presence(`${relative}/${name}`)
          if (target === 'outside') linksOutside.push(name)
          if (target === 'file') files.push(name)
        } else if (entry.isFile()) {
          files.push(name)
          const size = lstat(path.join(absolute, entry.name)).then(
            (info) => info.size,
            () => 0, // deleted since it was listed
          )
          sizes.push(size)
        }
      }
      for (const size of await Promise.all(sizes)) bytes += size
      if (seen > maxFiles) break
    }
    return { files: files.sort(compareText), bytes, truncated: seen > maxFiles, linksOutside, unreadable }
  }

  /**
   * A file or folder of a package, as `walk` sees it, that was changed after `sinceMs` (epoch milliseconds); null when there
   * is none. Goes by the time of an inode's last change, which no program can choose. Of a package that is not there, the
   * nearest folder above it tells whether it has gone.
   */
  async changedSince(relative: string, sinceMs: number): Promise<string | null> {
    const resolved = await this.#resolve(relative)
    if (!('real' in resolved)) return this.#goneSince(relative, sinceMs)
    const place = path.join(this.root, relative) // a link, perhaps, and it may have been set anew
    if (Math.max(await changeTime(place), await changeTime(resolved.real)) > sinceMs) return relative
    const pending = ['']
    let seen = 0
    for (let folder = pending.pop(); folder !== undefined && seen <= MAX_FILES_PER_PACKAGE; folder = pending.pop()) {
      const entries = await readdir(path.join(resolved.real, folder), { withFileTypes: true }).catch(() => [])
      seen += entries.length
      const own = entries.filter((entry) => !(entry.isDirectory() && entry.name === 'node_modules'))
      const names = own.map(({ name }) => (folder === '' ? name : `${folder}/${name}`))
      const times = await Promise.all(names.map((name) => changeTime(path.join(resolved.real, name))))
      const changed = names.find((_, index) => (times[index] ?? 0) > sinceMs)
      if (changed !== undefined) return `${relative}/${changed}`
      pending.push(...names.filter((_, index) => own[index]?.isDirectory()))
    }
    return null
  }

  async #goneSince(relative: string, sinceMs: number): Promise<string | null> {
    // Not the project's own folder: it changes with every file that is written into it.
    for (let folder = path.posix.dirname(relative); folder !== '.'; folder = path.posix.dirname(folder)) {
      const atMs = await changeTime(path.join(this.root, folder))
      if (atMs > 0) return atMs > sinceMs ? relative : null
    }
    return null
  }
}

/** The folder that `--input` names. @throws {ReviewError} `INPUT_MISSING`, `INPUT_NOT_A_FOLDER`, `INPUT_UNREADABLE`. */
export async function openProject(input: string): Promise<Disk> {
  try {
    if (!(await stat(input)).isDirectory()) {
      throw new ReviewError(
        'INPUT_NOT_A_FOLDER',
        `--input ${input} is not a folder: give the folder that has the package.json`,
      )
    }
    return await Disk.open(input)
  } catch (error) {
    if (error instanceof ReviewError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new ReviewError('INPUT_MISSING', `--input ${input} does not exist`, { cause: error })
    throw new ReviewError('INPUT_UNREADABLE', `--input ${input} cannot be read (${code})`, { cause: error })
  }
}

/** When an inode, or what a link leads to, was changed last: epoch milliseconds; 0 for what is not there. */
async function changeTime(file: string): Promise<number> {
  try {
    const info = await lstat(file)
    if (!info.isSymbolicLink()) return info.ctimeMs
    const target = await stat(file).catch(() => info)
    return Math.max(info.ctimeMs, target.ctimeMs)
  } catch {
    return 0
  }
}
