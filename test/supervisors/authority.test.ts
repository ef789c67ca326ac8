import { AuthorityWidenedError, errors, type Authority } from 'echelon'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkAuthority,
  covers,
  lacks,
  Ledger,
  narrow,
  noAuthority,
  topAuthority,
  type Purse,
} from '../../src/supervisors/authority.ts'

const full = topAuthority({ spendUsd: 2, risk: 'low', tools: ['read-file'], actions: ['delete', 'buy'] })

describe('what an authority covers', () => {
  test.each([
    ['nothing needed', full, { action: 'buy' }, []],
    ['just enough of everything', full, { action: 'buy', spendUsd: 2, risk: 'low', tool: 'read-file' }, []],
    ['too much money', full, { action: 'buy', spendUsd: 2.01 }, ['spendUsd']],
    ['too much risk', full, { action: 'buy', risk: 'medium' }, ['risk']],
    ['another tool', full, { action: 'buy', tool: 'shell' }, ['tools']],
    ['another action', full, { action: 'publish' }, ['actions']],
    [
      'everything at once',
      full,
      { action: 'x', spendUsd: 3, risk: 'high', tool: 'y' },
      ['spendUsd', 'risk', 'tools', 'actions'],
    ],
    ['no authority, nothing needed', noAuthority, { action: 'anything' }, []],
    ['no authority, any money', noAuthority, { action: 'buy', spendUsd: 1e-9 }, ['spendUsd']],
    ['no authority, any risk', noAuthority, { action: 'buy', risk: 'low' }, ['risk']],
    ['no authority, any tool', noAuthority, { action: 'buy', tool: 'read-file' }, ['tools']],
    ['all tools', topAuthority({ tools: '*' }), { action: 'buy', tool: 'whatever' }, []],
    ['no limit to money', topAuthority({ spendUsd: Infinity }), { action: 'buy', spendUsd: 1e12 }, []],
  ] as const)('%s', (_, authority, needs, missing) => {
    expect(lacks(authority, needs).map(({ field }) => field)).toEqual(missing)
    expect(covers(authority, needs)).toBe(missing.length === 0)
  })

  test('what is lacking says what is needed and what there is', () => {
    expect(lacks(full, { action: 'buy', spendUsd: 3 })).toEqual([{ field: 'spendUsd', needs: 3, has: 2 }])
  })
})

describe('narrowing', () => {
  test.each([
    ['money', { spendUsd: 2 }, { spendUsd: 2.5 }, 'spendUsd'],
    ['risk', { risk: 'low' }, { risk: 'medium' }, 'risk'],
    ['a tool more', { tools: ['a'] }, { tools: ['a', 'b'] }, 'tools'],
    ['all tools out of some', { tools: ['a'] }, { tools: '*' }, 'tools'],
    ['all actions out of none', { actions: [] }, { actions: '*' }, 'actions'],
  ] as const)('given %s wider than granted, then it is refused by name', (_, granted, claimed, field) => {
    const refused = catchError(() => narrow(granted, claimed, '/review/licences'))
    expect(refused).toBeInstanceOf(AuthorityWidenedError)
    expect(refused).toMatchObject({ code: 'AUTHORITY_WIDENED', field, tier: '/review/licences' })
    expect((refused as Error).message).toContain('/review/licences')
  })

  test('what is left out, or undefined, is inherited', () => {
    const claimed: Record<string, unknown> = { risk: 'none', spendUsd: undefined }
    expect(narrow(full, claimed)).toEqual({ ...full, risk: 'none' })
    expect(topAuthority(claimed)).toEqual(noAuthority)
  })

  const names = fc.oneof(fc.constant('*' as const), fc.subarray(['a', 'b', 'c']))
  const authority: fc.Arbitrary<Authority> = fc.record(
    {
      spendUsd: fc.oneof(
        fc.constantFrom(0, 0.1, 0.3, 0.1 + 0.2, Infinity),
        fc.double({ min: 0, max: 100, noNaN: true }),
      ),
      risk: fc.constantFrom('none', 'low', 'medium', 'high'),
      tools: names,
      actions: names,
    },
    { requiredKeys: [] },
  )
  const needs = fc.record(
    {
      action: fc.constantFrom('a', 'b', 'c', 'd'),
      spendUsd: fc.double({ min: 0, max: 100, noNaN: true }),
      risk: fc.constantFrom('low', 'medium', 'high'),
      tool: fc.constantFrom('a', 'b', 'c', 'd'),
    },
    { requiredKeys: ['action'] },
  )
  const result = (run: () => Authority): Authority | 'widened' => {
    const outcome = catchError(run)
    return outcome instanceof AuthorityWidenedError ? 'widened' : (outcome as Authority)
  }

  test('is idempotent', () => {
    fc.assert(
      fc.property(authority, (a) => {
        expect(narrow(a, a)).toEqual(a)
      }),
    )
  })

  test('is monotone: what the narrower authority covers, the wider one covers', () => {
    fc.assert(
      fc.property(authority, authority, needs, (above, below, need) => {
        const parent = topAuthority(above)
        const child = result(() => narrow(parent, below))
        fc.pre(child !== 'widened')
        if (covers(topAuthority(child), need)) expect(covers(parent, need)).toBe(true)
      }),
    )
  })

  test('is associative: what holds from the top down holds however much of it is taken together', () => {
    fc.assert(
      fc.property(authority, authority, authority, (a, b, c) => {
        const fromTheTop = result(() => narrow(narrow(a, b), c))
        fc.pre(fromTheTop !== 'widened')
        expect(result(() => narrow(a, narrow(b, c)))).toEqual(fromTheTop)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the ledger', () => {
  test('given ten grants of 0.1 in a purse of 1, then all fit and nothing more does', () => {
    const ledger = new Ledger()
    const purse = [{ path: '/a', spendUsd: 1 }]
    for (let i = 0; i < 10; i += 1) expect(ledger.hold(purse, 0.1)).toBeTypeOf('function')
    expect(ledger.leftUsd(purse)).toBe(0)
    expect(ledger.hold(purse, 1e-9)).toBeUndefined()
  })

  test('given a grant that some purse above cannot pay, then no purse pays', () => {
    const ledger = new Ledger()
    const purses = [
      { path: '/a/b', spendUsd: 5 },
      { path: '/a', spendUsd: 1 },
    ]
    expect(ledger.hold(purses, 2)).toBeUndefined()
    expect(ledger.leftUsd(purses.slice(0, 1))).toBe(5)
  })

  test('the grants of a tier and of all below it never exceed its budget', () => {
    // A tree of purses by path, and grants anywhere in it, some of which are put back.
    const budgets: Readonly<Record<string, number>> = { '/a': 3, '/a/b': 2, '/a/c': 2.5, '/a/b/d': 1, '/a/b/e': 2 }
    const pursesUp = (path: string): Purse[] =>
      Object.entries(budgets)
        .filter(([above]) => path === above || path.startsWith(`${above}/`))
        .map(([above, spendUsd]) => ({ path: above, spendUsd }))
    const grant = fc.record({
      path: fc.constantFrom(...Object.keys(budgets)),
      usd: fc.constantFrom(0, 0.1, 0.2, 0.7, 1, 1 / 3),
      putBack: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 60 }), (grants) => {
        const ledger = new Ledger()
        const granted: { path: string; usd: number }[] = []
        let refused = 0
        for (const { path, usd, putBack } of grants) {
          const release = ledger.hold(pursesUp(path), usd)
          if (release === undefined) refused += 1
          else if (putBack) release()
          else granted.push({ path, usd })
          for (const [above, budget] of Object.entries(budgets)) {
            const sum = granted
              .filter((one) => one.path === above || one.path.startsWith(`${above}/`))
              .reduce((total, one) => total + one.usd, 0)
            expect(sum).toBeLessThanOrEqual(budget + 1e-6)
          }
        }
        if (grants.every(({ usd }) => usd === 0)) expect(refused).toBe(0)
      }),
    )
  })
})

test.each([
  ['spendUsd', { spendUsd: -1 }],
  ['spendUsd', { spendUsd: NaN }],
  ['risk', { risk: 'extreme' }],
  ['tools', { tools: 'read-file' }],
  ['actions', { actions: [1] }],
])('given a %s that is none, then the authority is refused', (field, authority) => {
  const refused = catchError(() => {
    // What untyped code may write.
    checkAuthority('review.authority', authority as Authority)
  })
  expect(refused).toBeInstanceOf(errors.DefinitionInvalidError)
  expect((refused as Error).message).toContain(`review.authority.${field}`)
})

function catchError(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
