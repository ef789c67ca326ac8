import * as real from 'node:fs/promises'
import path from 'node:path'
import { pass } from './point.ts'

export const { mkdir, open, readdir, stat } = real

export async function rename(from: string, to: string): Promise<void> {
  await pass('rename')
  await real.rename(from, to)
}

export async function rm(file: string, options: { readonly force: boolean }): Promise<void> {
  if (path.basename(file).startsWith('.dependency-review.journal')) await pass('remove')
  await real.rm(file, options)
}
