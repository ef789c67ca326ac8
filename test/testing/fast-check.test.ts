import { execFileSync } from 'node:child_process'
import * as imported from 'fast-check'
import { expect, test } from 'vitest'
import { DependencyMissingError } from '../../src/core/errors.ts'
import { fastCheck } from '../../src/testing/fast-check.ts'
import { repositoryRoot } from '../support/markdown.ts'

test('given an arbitrary of ours, when the fast-check of a test runs it, then both understand each other', () => {
  const { counterexample } = imported.check(
    imported.property(fastCheck().nat(), (n) => n < 5),
    { seed: 1 },
  )
  expect(counterexample).toEqual([5])
})

test('given no fast-check, when it is asked for, then an error says what to install', () => {
  const missing = (): never => {
    throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' })
  }
  expect(() => fastCheck(missing)).toThrow(DependencyMissingError)
  expect(() => fastCheck(missing)).toThrow('npm install fast-check')
})

test('given a fast-check that fails to load, when it is asked for, then its error is not hidden', () => {
  expect(() =>
    fastCheck(() => {
      throw new SyntaxError('broken')
    }),
  ).toThrow('broken')
})

test('given echelon/testing, when it is imported, then fast-check is not', () => {
  const script = `
    await import('echelon/testing')
    const { createRequire } = await import('node:module')
    process.stdout.write(String(Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('fast-check'))))`
  const args = ['--conditions', 'echelon-source', '--input-type', 'module', '--eval', script]
  expect(execFileSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8' })).toBe('false')
})
