import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'

import type { Options } from '../command-line.ts'
import type { Disk } from '../disk.ts'
import { compareText } from '../text.ts'

/**
 * What makes two runs the same one, besides what is in the packages (see `changes.ts`): only then does what one of them
 * found hold for the other.
 */
export const identitySchema = z.object({
  /** Digest of the program's own files, and the Node and platform that it runs on. */
  program: z.string(),
  /** The project's folder: absolute, without symbolic links. */
  project: z.string(),
  chaos: z.number(),
  /** As given; null when a fresh one was drawn. */
  seed: z.int().nullable(),
})
export type Identity = z.output<typeof identitySchema>

export async function identityOf({ root }: Disk, { chaos, seed }: Options): Promise<Identity> {
  return { program: await programDigest(), project: root, chaos, seed: seed ?? null }
}

/** In which way `now` is another run than `before`, as the end of a sentence; null when it is the same. */
export function differenceBetween(before: Identity, now: Identity): string | null {
  if (before.project !== now.project) return `it was of ${before.project}`
  if (before.program !== now.program) return 'the program has changed since'
  if (before.chaos !== now.chaos) return `it ran with --chaos ${before.chaos}`
  if (before.seed !== now.seed)
    return `it ran ${before.seed === null ? 'without a given --seed' : `with --seed ${before.seed}`}`
  return null
}

async function programDigest(): Promise<string> {
  const root = path.dirname(import.meta.dirname)
  const names = (await readdir(root, { recursive: true })).filter((name) => /\.[jt]s$/.test(name)).sort(compareText)
  const texts = await Promise.all(names.map((name) => readFile(path.join(root, name))))
  const hash = createHash('sha256').update(`${process.version} ${process.platform} ${process.arch}`)
  for (const text of texts) hash.update('\0').update(text)
  return hash.digest('hex')
}
