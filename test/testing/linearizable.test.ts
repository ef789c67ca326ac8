import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DefinitionInvalidError } from '../../src/core/errors.ts'
import { isLinearizable, pending, type Operation, type SequentialModel } from '../../src/testing/linearizable.ts'

type RegisterInput = { readonly put: number } | 'get'
type Register = SequentialModel<number, RegisterInput, number | 'ok'>
const register: Register = {
  init: 0,
  step: (state, input, output) => {
    if (input !== 'get') return input.put
    return output === pending || output === state ? state : undefined
  },
}

type CasInput = { readonly from: number; readonly to: number } | 'get'
const cas: SequentialModel<number, CasInput, number | boolean> = {
  init: 0,
  step: (state, input, output) => {
    if (input === 'get') return output === pending || output === state ? state : undefined
    const succeeds = state === input.from
    return output === pending || output === succeeds ? (succeeds ? input.to : state) : undefined
  },
}

type QueueInput = { readonly add: string } | 'take'
const queue: SequentialModel<readonly string[], QueueInput, string | undefined> = {
  init: [],
  step: (state, input, output) => {
    if (input !== 'take') return [...state, input.add]
    const [first, ...rest] = state
    return output === pending || output === first ? rest : undefined
  },
}

interface Name {
  readonly do: 'register' | 'unregister' | 'whereis'
  readonly name: string
  readonly pid?: number
}
/** Erlang's registry of one name: a register is refused while the name is taken. */
const registry: SequentialModel<number | null, Name, boolean | number | undefined> = {
  init: null,
  key: ({ name }) => name,
  step: (holder, { do: what, pid = 0 }, output) => {
    const gives = { register: holder === null, unregister: holder !== null, whereis: holder ?? undefined }[what]
    if (output !== pending && output !== gives) return undefined
    return { register: holder ?? pid, unregister: null, whereis: holder }[what]
  },
}

type Row<I, O> = readonly [client: string, input: I, call: number, returned?: number, output?: O]
const history = <I, O>(...rows: readonly Row<I, O>[]): Operation<I, O>[] =>
  rows.map(([client, input, call, returned, output]) => ({
    client,
    input,
    call,
    ...(returned === undefined ? {} : { return: returned }),
    ...(output === undefined ? {} : { output }),
  }))

const onRegister = history<RegisterInput, number | 'ok'>
const onQueue = history<QueueInput, string | undefined>
const onRegistry = history<Name, boolean | number | undefined>

const kindOf = <S, I, O>(rows: readonly Operation<I, O>[], model: SequentialModel<S, I, O>): string =>
  isLinearizable(rows, model).kind

describe('known histories', () => {
  // The first two are those of Porcupine's README; the stale read is the one of Jepsen's knossos and etcd reports.
  test.each<[string, Operation<RegisterInput, number | 'ok'>[], string]>([
    ['nothing', [], 'linearizable'],
    ['reads that see a write that is not over', onRegister(['1', { put: 100 }, 0, 100, 'ok'], ['2', 'get', 25, 75, 100], ['3', 'get', 30, 60, 0]), 'linearizable'], // prettier-ignore
    ['a read of the old value after one of the new', onRegister(['1', { put: 200 }, 0, 100, 'ok'], ['2', 'get', 10, 30, 200], ['3', 'get', 40, 90, 0]), 'violation'], // prettier-ignore
    ['a stale read', onRegister(['1', { put: 1 }, 0, 1, 'ok'], ['2', 'get', 2, 3, 0]), 'violation'],
    ['a lost write', onRegister(['1', { put: 1 }, 0, 1, 'ok'], ['2', { put: 2 }, 2, 3, 'ok'], ['1', 'get', 4, 5, 1]), 'violation'], // prettier-ignore
    ['writes side by side, either last', onRegister(['1', { put: 1 }, 0, 9, 'ok'], ['2', { put: 2 }, 0, 9, 'ok'], ['3', 'get', 10, 11, 1]), 'linearizable'], // prettier-ignore
    ['a pending write that is seen', onRegister(['1', { put: 1 }, 0], ['2', 'get', 5, 6, 1]), 'linearizable'],
    ['a pending write that is not seen', onRegister(['1', { put: 1 }, 0], ['2', 'get', 5, 6, 0]), 'linearizable'],
    ['a pending write that is seen and gone', onRegister(['1', { put: 1 }, 0], ['2', 'get', 5, 6, 1], ['2', 'get', 7, 8, 0]), 'violation'], // prettier-ignore
    ['a pending write before its call', onRegister(['2', 'get', 5, 6, 1], ['1', { put: 1 }, 7]), 'violation'],
    ['a pending read', onRegister(['1', 'get', 0], ['2', { put: 1 }, 5, 6, 'ok']), 'linearizable'],
    ['a call when another returns', onRegister(['1', { put: 1 }, 0, 5, 'ok'], ['2', 'get', 5, 6, 0]), 'linearizable'],
  ])('given a register and %s, then it is %s', (_what, rows, kind) => {
    expect(kindOf(rows, register)).toBe(kind)
    expect(kindOf(rows.toReversed(), register)).toBe(kind)
  })

  test('given two that both win a compare-and-set, then it is a violation', () => {
    const both = history<CasInput, number | boolean>(
      ['1', { from: 0, to: 1 }, 0, 9, true],
      ['2', { from: 0, to: 2 }, 1, 8, true],
    )
    expect(kindOf(both, cas)).toBe('violation')
    expect(kindOf([both[0]!, { ...both[1]!, output: false }], cas)).toBe('linearizable')
  })

  test.each<[string, Operation<QueueInput, string | undefined>[], string]>([
    ['in order', onQueue(['1', { add: 'a' }, 0, 1], ['1', { add: 'b' }, 2, 3], ['2', 'take', 4, 5, 'a'], ['2', 'take', 6, 7, 'b']), 'linearizable'], // prettier-ignore
    ['out of order', onQueue(['1', { add: 'a' }, 0, 1], ['1', { add: 'b' }, 2, 3], ['2', 'take', 4, 5, 'b'], ['2', 'take', 6, 7, 'a']), 'violation'], // prettier-ignore
    ['out of order where adds overlap', onQueue(['1', { add: 'a' }, 0, 9], ['3', { add: 'b' }, 2, 3], ['2', 'take', 10, 11, 'b'], ['2', 'take', 12, 13, 'a']), 'linearizable'], // prettier-ignore
    ['twice', onQueue(['1', { add: 'a' }, 0, 1], ['2', 'take', 2, 5, 'a'], ['3', 'take', 3, 6, 'a']), 'violation'],
    ['from an empty queue', onQueue(['2', 'take', 0, 1], ['1', { add: 'a' }, 2, 3]), 'linearizable'],
    ['nothing though something is there', onQueue(['1', { add: 'a' }, 0, 1], ['2', 'take', 2, 3]), 'violation'],
  ])('given a queue and takes %s, then it is judged so', (_what, rows, kind) => {
    expect(kindOf(rows, queue)).toBe(kind)
  })

  const name = (what: Name['do'], pid?: number, of = 'db'): Name => ({ do: what, name: of, ...(pid === undefined ? {} : { pid }) }) // prettier-ignore
  test.each<[string, Operation<Name, boolean | number | undefined>[], string]>([
    ['a name that two hold', onRegistry(['1', name('register', 1), 0, 5, true], ['2', name('register', 2), 1, 6, true]), 'violation'], // prettier-ignore
    ['a name that is passed on', onRegistry(['1', name('register', 1), 0, 1, true], ['1', name('unregister'), 2, 6, true], ['2', name('register', 2), 3, 5, true], ['3', name('whereis'), 7, 8, 2]), 'linearizable'], // prettier-ignore
    ['a name that is found after it was given up', onRegistry(['1', name('register', 1), 0, 1, true], ['1', name('unregister'), 2, 3, true], ['3', name('whereis'), 4, 5, 1]), 'violation'], // prettier-ignore
    ['a name that nobody has', onRegistry(['1', name('register', 1), 0, 5, true], ['3', name('whereis'), 4, 6]), 'linearizable'], // prettier-ignore
    ['names apart from each other', onRegistry(['1', name('register', 1), 0, 1, true], ['2', name('register', 2, 'web'), 2, 3, true]), 'linearizable'], // prettier-ignore
  ])('given a registry and %s, then it is judged so', (_what, rows, kind) => {
    expect(kindOf(rows, registry)).toBe(kind)
  })
})

/** Runs a model one operation at a time, then lets each operation begin earlier and end later than it happened. */
const widened = <S, I, O>(
  model: SequentialModel<S, I, O>,
  input: fc.Arbitrary<I>,
  give: (state: S, input: I) => O,
  size: number,
) =>
  fc
    .array(fc.record({ input, before: fc.nat(25), behind: fc.nat(25), isPending: fc.boolean() }), { maxLength: size })
    .map((steps) => {
      let state = model.init
      return steps.map(({ input: asked, before, behind, isPending }, i): Operation<I, O> => {
        const output = give(state, asked)
        state = model.step(state, asked, output)!
        const timed = { client: i % 5, input: asked, call: 10 * i - before }
        return isPending && i > steps.length - 3 ? timed : { ...timed, return: 10 * i + behind, output }
      })
    })

const registerInput = fc.oneof(fc.record({ put: fc.nat(3) }), fc.constant<RegisterInput>('get'))
const registers = (size: number) =>
  widened(register, registerInput, (state, input): number | 'ok' => (input === 'get' ? state : 'ok'), size)
const nameInput: fc.Arbitrary<Name> = fc.record({
  do: fc.constantFrom('register', 'unregister', 'whereis'),
  name: fc.constantFrom('db', 'web'),
  pid: fc.nat(3),
})

/** Every order that keeps what was over before something else began; pending operations may be left out. */
function bruteForce<S, I, O>(state: S, left: readonly Operation<I, O>[], model: SequentialModel<S, I, O>): boolean {
  if (left.every((each) => each.return === undefined)) return true
  return left.some((next) => {
    if (left.some((other) => (other.return ?? Infinity) < next.call)) return false
    const output = next.return === undefined ? pending : (next.output as O) // what returned has an output
    const after = model.step(state, next.input, output)
    return (
      after !== undefined &&
      bruteForce(
        after,
        left.filter((other) => other !== next),
        model,
      )
    )
  })
}

describe('against histories that are right, and brute force', () => {
  test('given any run of one client at a time, when its intervals are widened, then it is linearizable, and the order explains it', () => {
    fc.assert(
      fc.property(registers(60), (rows) => {
        const verdict = isLinearizable(rows, register)
        if (verdict.kind !== 'linearizable') throw new Error(`judged ${verdict.kind}`)
        let state = register.init
        for (const { input, output, return: returned } of verdict.order)
          state = register.step(state, input, returned === undefined ? pending : output!)!
        expect(state).toBeDefined()
        const known = rows.filter((row) => row.return !== undefined)
        expect(known.every((row) => verdict.order.includes(row))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('given a registry of two names, when intervals are widened, then it is linearizable', () => {
    // One state for each name, as the model has it: the run is made name by name.
    const perName = (name: string) =>
      widened(registry, nameInput.map((each) => ({ ...each, name })), (holder, { do: what }) => ({ register: holder === null, unregister: holder !== null, whereis: holder ?? undefined })[what], 20) // prettier-ignore
    fc.assert(
      fc.property(perName('db'), perName('web'), (db, web) => {
        expect(kindOf([...db, ...web], registry)).toBe('linearizable')
      }),
    )
  })

  test('given a run of which one output is changed, then it is judged as by trying every order', () => {
    let violations = 0
    fc.assert(
      fc.property(registers(7), fc.nat(), fc.constantFrom(0, 1, 2, 3), (rows, at, output) => {
        const gets = rows.filter(({ input, return: returned }) => input === 'get' && returned !== undefined)
        const changed = rows.map((row) => (row === gets[at % gets.length] ? { ...row, output } : row))
        const verdict = kindOf(changed, register)
        expect(verdict).toBe(bruteForce(register.init, changed, register) ? 'linearizable' : 'violation')
        if (verdict === 'violation') violations += 1
      }),
      { numRuns: 1_000, seed: 1 },
    )
    expect(violations).toBeGreaterThan(100)
  })

  test('given any operations at all, then they are judged as by trying every order', () => {
    const anyOperation = fc
      .record({
        input: registerInput,
        call: fc.nat(20),
        takes: fc.option(fc.nat(10), { nil: undefined }),
        output: fc.nat(3),
      })
      .map(({ input, call, takes, output }): Operation<RegisterInput, number | 'ok'> => {
        const row = { client: 'any', input, call }
        return takes === undefined ? row : { ...row, return: call + takes, output: input === 'get' ? output : 'ok' }
      })
    fc.assert(
      fc.property(fc.array(anyOperation, { maxLength: 7 }), (rows) => {
        expect(kindOf(rows, register) === 'linearizable').toBe(bruteForce(register.init, rows, register))
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('verdicts', () => {
  test('given a violation, then the longest part that can be explained is given, and what could not follow it', () => {
    const rows = onRegister(
      ['1', { put: 1 }, 0, 1, 'ok'],
      ['2', 'get', 2, 3, 1],
      ['2', 'get', 4, 5, 7],
      ['1', { put: 2 }, 6, 7, 'ok'],
    )
    expect(isLinearizable(rows, register)).toEqual({
      kind: 'violation',
      prefix: rows.slice(0, 2),
      stuck: rows[2],
      key: undefined,
    })
  })

  test('given a violation of one key, then the key is named', () => {
    const rows = onRegistry(
      ['1', { do: 'register', name: 'db', pid: 1 }, 0, 1, true],
      ['1', { do: 'unregister', name: 'web' }, 2, 3, true],
    )
    expect(isLinearizable(rows, registry)).toMatchObject({ kind: 'violation', key: 'web', prefix: [], stuck: rows[1] })
  })

  test('given more work than is allowed, then the verdict is that it is not known', () => {
    const rows = onRegister(...Array.from({ length: 12 }, (_, i) => [`${i}`, { put: i }, 0, 100, 'ok'] as const), [
      'x',
      'get',
      101,
      102,
      99,
    ])
    expect(isLinearizable(rows, register, { maxSteps: 50 })).toEqual({ kind: 'unknown', steps: 50, key: undefined })
    expect(kindOf(rows, register)).toBe('violation')
  })

  const nameless: SequentialModel<unknown, string, number> = { init: 0, step: () => () => 0 }
  test.each([
    [
      'an operation that returns before it is called',
      () => isLinearizable(history<RegisterInput, number>(['1', 'get', 5, 4, 0]), register),
    ],
    ['no steps', () => isLinearizable([], register, { maxSteps: 0 })],
    ['a state without a name', () => isLinearizable(history<string, number>(['1', 'x', 0, 1, 1]), nameless)],
  ])('given %s, then an error says so', (_what, judge) => {
    expect(judge).toThrow(DefinitionInvalidError)
  })

  test('given states that only their model can name, when it does, then they are told apart', () => {
    class Box {
      readonly value: number
      constructor(value: number) {
        this.value = value
      }
    }
    const boxes: SequentialModel<Box, RegisterInput, number | 'ok'> = {
      init: new Box(0),
      hash: ({ value }) => value,
      step: ({ value }, input, output) => {
        const next = register.step(value, input, output)
        return next === undefined ? undefined : new Box(next)
      },
    }
    fc.assert(
      fc.property(registers(20), (rows) => {
        expect(kindOf(rows, boxes)).toBe('linearizable')
      }),
      { numRuns: 50 },
    )
  })
})

test('given a thousand operations of five clients, when they are judged, then it takes few steps, right or wrong', () => {
  const [rows] = fc.sample(
    fc.array(fc.record({ input: registerInput, before: fc.nat(25), behind: fc.nat(25) }), {
      minLength: 1_000,
      maxLength: 1_000,
      size: 'max',
    }),
    { seed: 1, numRuns: 1 },
  )
  let state = 0
  const right = rows!.map(({ input, before, behind }, i): Operation<RegisterInput, number | 'ok'> => {
    const output = input === 'get' ? state : 'ok'
    state = register.step(state, input, output)!
    return { client: i % 5, input, output, call: 10 * i - before, return: 10 * i + behind }
  })
  const last = right.findLastIndex(({ input }) => input === 'get')
  const wrong = right.with(last, { ...right[last]!, output: 4 })

  expect(isLinearizable(right, register, { maxSteps: 20_000 }).kind).toBe('linearizable')
  expect(isLinearizable(wrong, register, { maxSteps: 60_000 }).kind).toBe('violation')
})
