import fc from 'fast-check'
import type { ChildCase, ExitHow, Flags, OtpCase, StartResult, TreeCase, Worker } from './case.ts'
import { resolve, type RawAsk, type RawChild, type RawExit, type RawStep, type RawTree } from './raw-case.ts'

const pick = <T>(...weighted: readonly (readonly [weight: number, value: T])[]): fc.Arbitrary<T> =>
  fc.oneof(...weighted.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })))

// The first start mostly succeeds, later ones mostly fail: a restart under trouble is where the rules are.
const later = fc.array(pick<StartResult>([4, 'ok'], [5, 'fail'], [1, 'ignore']), { maxLength: 6 })
const scriptArb: fc.Arbitrary<readonly StartResult[]> = fc.oneof(
  { weight: 7, arbitrary: fc.constant<readonly StartResult[]>([]) },
  { weight: 6, arbitrary: later.map((results): readonly StartResult[] => ['ok', ...results]) },
  { weight: 1, arbitrary: later },
  { weight: 1, arbitrary: later.map((results): readonly StartResult[] => ['ignore', ...results]) },
)
const restartArb = pick<ChildCase['restart']>([5, 'permanent'], [3, 'transient'], [2, 'temporary'])

const workerArb: fc.Arbitrary<RawChild> = fc.record({
  restart: restartArb,
  shutdown: pick<RawChild['shutdown']>([6, 'timeout'], [1, 'infinity'], [2, 'brutal_kill']),
  significant: fc.boolean(),
  script: scriptArb,
  runs: pick<Worker>([12, 'plain'], [1, 'stubborn'], [1, 'failing']),
})

const nestedArb = (levels: number): fc.Arbitrary<RawChild> =>
  fc.record({
    restart: restartArb,
    shutdown: pick<RawChild['shutdown']>([8, 'infinity'], [2, 'timeout'], [1, 'brutal_kill'], [1, 'short']),
    significant: fc.boolean(),
    script: fc.oneof(
      { weight: 6, arbitrary: fc.constant<readonly StartResult[]>([]) },
      { weight: 1, arbitrary: scriptArb },
    ),
    runs: treeArb(levels),
  })

const childArb = (levels: number): fc.Arbitrary<RawChild> =>
  levels <= 1
    ? workerArb
    : fc.oneof({ weight: 3, arbitrary: workerArb }, { weight: 1, arbitrary: nestedArb(levels - 1) })

const treeArb = (levels: number): fc.Arbitrary<RawTree> =>
  fc.record({
    strategy: pick<TreeCase['strategy']>([3, 'one_for_one'], [3, 'one_for_all'], [3, 'rest_for_one'], [2, 'dynamic']),
    intensity: pick([1, 0], [2, 1], [3, 2], [3, 3], [2, 5]),
    periodS: pick([1, 2], [2, 6], [2, 10]),
    autoShutdown: pick<Flags['autoShutdown']>([5, 'never'], [2, 'any_significant'], [2, 'all_significant']),
    children: fc.array(childArb(levels), { minLength: 1, maxLength: 4 }),
  })

const target = fc.nat(11)
const exitArb: fc.Arbitrary<RawExit> = fc.record({
  to: fc.nat(40),
  how: pick<ExitHow | 'kill'>([5, 'crash'], [2, 'normal'], [2, 'kill'], [1, 'shutdown'], [1, 'shutdown(x)']),
})
const askArb: fc.Arbitrary<RawAsk> = fc.record({
  do: pick<RawAsk['do']>(
    [3, 'restart_child'],
    [2, 'terminate_child'],
    [2, 'delete_child'],
    [2, 'start_child'],
    [5, 'start_dynamic'],
    [2, 'terminate_dynamic'],
    [1, 'count_children'],
  ),
  to: target,
  child: childArb(2),
})

const stepArb: fc.Arbitrary<RawStep> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ do: fc.constant('exit'), at: target, exit: exitArb }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('ask'), at: target, ask: askArb }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('together'),
      at: target,
      exits: fc.array(exitArb, { minLength: 1, maxLength: 3 }),
      asks: fc.array(askArb, { maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('advance'), at: target, seconds: fc.integer({ min: 1, max: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop'), at: target }) },
)

/** Any supervision tree of up to three levels, and up to twelve things that happen to it. */
export const otpCaseArb: fc.Arbitrary<OtpCase> = fc
  .tuple(treeArb(3), fc.array(stepArb, { minLength: 1, maxLength: 12 }))
  .map(([tree, steps]) => resolve(tree, steps))
