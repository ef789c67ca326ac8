import type * as fastCheckModule from 'fast-check'
import { createRequire } from 'node:module'
import { DependencyMissingError } from '../core/errors.ts'

/** What `fast-check` exports. */
export type FastCheck = typeof fastCheckModule

let loaded: FastCheck | undefined

/**
 * fast-check, loaded when it is first asked for: it is an optional peer, and whoever wants none of its arbitraries does
 * not wait for it. It is the same at each call.
 * @throws {DependencyMissingError} `DEPENDENCY_MISSING`. `load` is for tests.
 */
export function fastCheck(load?: (name: string) => unknown): FastCheck {
  if (load === undefined && loaded !== undefined) return loaded
  try {
    // The package exports the same to `require` as to `import`, and these types say what.
    const found = (load ?? createRequire(import.meta.url))('fast-check') as FastCheck
    if (load === undefined) loaded = found
    return found
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')
      throw new DependencyMissingError('an arbitrary of echelon/testing', 'fast-check', { cause: error })
    throw error
  }
}
