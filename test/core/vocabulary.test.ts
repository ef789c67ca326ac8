import { describe, expect, test } from 'vitest'
import { EchelonError, errors, exits, systemScheduler, type ExitReason } from 'echelon'
import { describeError, describeExit, isCleanExit } from '../../src/core/exit.ts'
import { isSegment } from '../../src/core/ids.ts'

describe('exit reasons', () => {
  test.each([
    [exits.normal, true, 'normal'],
    [exits.shutdown(), true, 'shutdown'],
    [exits.shutdown('maintenance'), true, 'shutdown: maintenance'],
    [exits.crash(new TypeError('boom')), false, 'crash: TypeError: boom'],
    [exits.crash('a text'), false, 'crash: a text'],
    [exits.killed, false, 'killed'],
    [exits.noproc, false, 'noproc'],
    [exits.noconnection, false, 'noconnection'],
  ] as [ExitReason, boolean, string][])('given %o, then clean is %s and it reads "%s"', (reason, isClean, text) => {
    expect(isCleanExit(reason)).toBe(isClean)
    expect(describeExit(reason)).toBe(text)
  })

  test('given what cannot be shown, then describing it does not throw', () => {
    const hostile = {
      toString() {
        throw new Error('no')
      },
    }
    const liar = Object.defineProperty(new Error(), 'message', {
      get() {
        throw new Error('no')
      },
    })
    for (const value of [hostile, liar, Object.create(null), Symbol('s'), undefined, null]) {
      expect(typeof describeError(value)).toBe('string')
    }
  })
})

describe('names', () => {
  test.each(['a', 'worker-1', 'A.b_c:d@e$f~g+h', 'x'.repeat(200)])('%j can be a segment of a path', (name) => {
    expect(isSegment(name)).toBe(true)
  })

  test.each(['', 'a/b', 'a b', 'é', 'x'.repeat(201), 'a\n', '\u0000'])('%j cannot', (name) => {
    expect(isSegment(name)).toBe(false)
  })
})

describe('errors', () => {
  const classes = Object.entries(errors).filter(([name]) => name !== 'EchelonError')

  test('given any of them, then it is an EchelonError named after its class, with a code like its name and no other has it', () => {
    const codes = classes.map(([name, Class]) => {
      // Constructors differ; a message of any text will do for the code, which does not depend on it.
      const error = Reflect.construct(Class, [['a'], 'b', ['c'], { type: 'd' }]) as EchelonError
      expect(error).toBeInstanceOf(EchelonError)
      expect(error.name).toBe(name)
      expect(error.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
      expect(typeof error.retryable).toBe('boolean')
      return error.code
    })
    expect(new Set(codes).size).toBe(classes.length)
    expect(classes.length).toBeGreaterThan(15)
  })
})

describe('the system scheduler', () => {
  test('given turns, then soon comes before later, and promises come between', async () => {
    const order: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    systemScheduler.later(() => {
      order.push('later')
      resolve()
    })
    systemScheduler.soon(() => {
      order.push('soon')
      void Promise.resolve().then(() => order.push('promise'))
    })
    order.push('now')
    await promise
    expect(order).toEqual(['now', 'soon', 'promise', 'later'])
  })
})
