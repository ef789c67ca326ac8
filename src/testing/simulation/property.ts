import type { Arbitrary, IAsyncPropertyWithHooks, Random, Stream, Value } from 'fast-check'
import { fastCheck, type FastCheck } from '../fast-check.ts'
import { decode, encode } from '../../actors/durable/values.ts'
import type { AnyDefinition } from '../../actors/definition.ts'
import type { MessageOf, Protocol } from '../../actors/protocol.ts'
import { perWorld } from './calls.ts'
import type { Deviation } from './decisions.ts'
import { SimulationCaseError, SimulationFailedError } from './errors.ts'
import { failureText } from './report.ts'
import { runWorld, type RunOptions } from './run-world.ts'
import { nameOf, type Scenario } from './scenario.ts'
import { caseOf, replay, type Replay } from './replay.ts'
import { runOptionsOf, type SimulateOptions } from './simulate-options.ts'
import { writeCase, type SimulationCase } from './simcase.ts'
import type { StrategyName } from './strategy.ts'
import type { World } from './world.ts'

/**
 * Something that is done to a world, with an argument that fast-check makes and shrinks. Its functions are methods, so that
 * commands of different arguments fit into one list.
 */
export interface Command<Model = unknown, Arg = unknown> {
  /** For reports: `tell order.pay`. */
  readonly name: string
  /** Default: no argument. */
  readonly argument?: Arbitrary<Arg>
  /** Whether it can be done now; otherwise it is left out. */
  check?(model: Model): boolean
  /** Does it, and to the model what it should have done. What it throws breaks the property. */
  run(world: World, argument: Arg, model: Model): void | Promise<void>
}

export interface ActorPropertyOptions<Model> extends Pick<
  SimulateOptions,
  'faults' | 'invariants' | 'strategy' | 'virtual' | 'settle' | 'strict'
> {
  readonly commands: readonly Command<Model>[]
  /** What the world should be like, made anew for each. */
  readonly model?: () => Model
  /** Looked at after all commands, once everything is mended and quiet. */
  readonly end?: (world: World, model: Model) => void | Promise<void>
  /** Commands in one world at most. Default 20. */
  readonly maxCommands?: number
  /** Where a failure is written to, the smallest that was found last: for `replayProperty`. Default nowhere. */
  readonly folder?: string
}

/** A scenario whose commands say what is done: what its own `run` does comes before them. */
export type CommandScenario = Omit<Scenario, 'run'> & Partial<Pick<Scenario, 'run'>>

/** One command with its argument. */
interface Done {
  readonly index: number
  readonly argument: unknown
}

/** What a property is run with: commands, and everything that the world decides. */
export interface CommandPlan {
  readonly commands: readonly Done[]
  readonly seed: number
  readonly strategy: StrategyName | undefined
  readonly deviations: readonly Deviation[] | undefined
  /** The decisions that its world came to, once it was run: what shrinking begins with. */
  came: readonly Deviation[] | undefined
}

/**
 * A property for `fc.assert`: random commands, in random orders, among random faults, leave no invariant broken and the
 * model right. `seed` and `path` of fast-check repeat a failure, which is shrunk to few commands, faults and reorderings.
 * `scenario.run` is done before the commands.
 * @throws {DependencyMissingError} `DEPENDENCY_MISSING` without fast-check.
 */
export function actorProperty<Model = undefined>(
  scenario: CommandScenario,
  options: ActorPropertyOptions<Model>,
): IAsyncPropertyWithHooks<[CommandPlan]> {
  const fc = fastCheck()
  const run = runOptionsOf(options)
  return fc.asyncProperty(planArbitrary(fc, options), async (plan) => {
    const played = playing(scenario, options, plan.commands)
    const given = { seed: plan.seed, strategy: plan.strategy, deviations: plan.deviations }
    const result = await runWorld(played, given, run)
    plan.came = result.deviations
    if (result.violation === undefined) return
    await failProperty(played, plan, run, options)
  })
}

/**
 * Runs the world of a case that a property wrote, with its commands. It says how that went, as `replay`.
 * @throws {SimulationCaseError} `SIMULATION_CASE` for a case of something else, or with a command that there is not.
 */
export function replayProperty<Model = undefined>(
  scenario: CommandScenario,
  options: ActorPropertyOptions<Model>,
  found: SimulationCase,
): Promise<Replay> {
  const done = (found.commands ?? []).map(({ name, argument }) => {
    const index = options.commands.findIndex((command) => command.name === name)
    if (index < 0) throw new SimulationCaseError('replayProperty', `there is no command '${name}'`)
    return { index, argument: argument === undefined ? undefined : decode(JSON.stringify(argument)) }
  })
  return replay(playing(scenario, options, done), found, options)
}

/** The scenario in which these commands are what is done. */
const playing = <Model>(
  scenario: CommandScenario,
  options: ActorPropertyOptions<Model>,
  commands: readonly Done[],
): Scenario => ({ ...scenario, run: (world) => play(world, scenario, options, commands) })

async function play<Model>(
  world: World,
  { run }: Partial<Pick<Scenario, 'run'>>,
  { commands, model, end }: ActorPropertyOptions<Model>,
  done: readonly Done[],
): Promise<void> {
  // Whoever gives no model has one that is undefined.
  const state = model?.() as Model
  await run?.(world)
  for (const { index, argument } of done) {
    const command = commands[index]
    if (command === undefined || command.check?.(state) === false) continue
    world.note(command.name)
    await command.run(world, argument, state)
  }
  if (end === undefined) return
  world.calm()
  world.network.heal()
  await Promise.all(world.nodes.map((node) => node.mend()))
  await end(world, state)
}

async function failProperty<Model>(
  scenario: Scenario,
  plan: CommandPlan,
  run: RunOptions,
  { folder, commands }: ActorPropertyOptions<Model>,
): Promise<never> {
  const result = await runWorld(scenario, { ...plan, deviations: plan.came }, { ...run, keepTrace: true })
  const size = plan.came?.length ?? 0
  const named = plan.commands.map(({ index, argument }) => ({
    name: commands[index]?.name ?? '',
    // What JSON has no word for, as a date or a bigint, is tagged.
    argument: JSON.parse(encode(argument, `the argument of '${commands[index]?.name ?? ''}'`)) as unknown,
  }))
  const file =
    folder === undefined ? undefined : writeCase(folder, { ...caseOf(scenario, plan, result, run), commands: named })
  const report = failureText({
    scenario: nameOf(scenario),
    result,
    worlds: 1,
    shrinkRuns: 0,
    firstSize: size,
    file,
  })
  throw new SimulationFailedError(result.violation?.invariant ?? '', report, file, result.violation?.error)
}

/** Context of a plan: what fast-check knows of how its commands were made. */
interface Made {
  readonly commands: Value<Done[]>
}

/**
 * Commands are shrunk as fast-check shrinks arrays, and the decisions of the world by leaving out ever smaller parts:
 * `fc.scheduler` does not shrink.
 */
function planArbitrary<Model>(fc: FastCheck, options: ActorPropertyOptions<Model>): Arbitrary<CommandPlan> {
  const { commands, maxCommands = 20, strategy } = options
  const one = commands.map((command, index) =>
    // An argument that is not asked for is undefined.
    (command.argument ?? fc.constant(undefined)).map((argument) => ({ index, argument })),
  )
  const lists = fc.array(fc.oneof(...one), { maxLength: maxCommands, size: 'max' })
  class PlanArbitrary extends fc.Arbitrary<CommandPlan> {
    override generate(random: Random, bias: number | undefined): Value<CommandPlan> {
      const made = lists.generate(random, bias)
      return this.#value(made, random.nextInt(1, 0x7fffffff), undefined)
    }

    override canShrinkWithoutContext(_value: unknown): _value is CommandPlan {
      return false
    }

    override shrink(plan: CommandPlan, context: unknown): Stream<Value<CommandPlan>> {
      // It is what `generate` or `shrink` put there.
      const { commands: made } = context as Made
      const came = plan.came ?? plan.deviations
      const fewer = lists.shrink(made.value, made.context).map((less) => this.#value(less, plan.seed, came))
      const calmer = fc.stream(candidates(came ?? [])).map((less) => this.#value(made, plan.seed, less))
      return fewer.join(calmer)
    }

    #value(made: Value<Done[]>, seed: number, deviations: readonly Deviation[] | undefined): Value<CommandPlan> {
      const plan: CommandPlan = { commands: made.value, seed, strategy, deviations, came: undefined }
      const shown = Object.assign(plan, { [fc.toStringMethod]: () => planText(plan, commands, fc) })
      return new fc.Value(shown, { commands: made } satisfies Made)
    }
  }
  return new PlanArbitrary()
}

/** Without all, without each half, quarter and so on, without each one; then with smaller values. */
function* candidates(deviations: readonly Deviation[]): Generator<readonly Deviation[]> {
  if (deviations.length === 0) return
  yield []
  for (let size = Math.ceil(deviations.length / 2); ; size = Math.ceil(size / 2)) {
    for (let end = deviations.length; end > 0; end -= size)
      yield deviations.filter((_, index) => index < end - size || index >= end)
    if (size === 1) break
  }
  for (const [place, { value }] of deviations.entries())
    if (value > 1)
      yield deviations.map((deviation, index) => (index === place ? { ...deviation, value: value >> 1 } : deviation))
}

function planText(plan: CommandPlan, commands: readonly { readonly name: string }[], fc: FastCheck): string {
  const done = plan.commands.map(
    ({ index, argument }) =>
      `${commands[index]?.name ?? ''}${argument === undefined ? '' : ` ${fc.stringify(argument)}`}`,
  )
  const decided = (plan.came ?? plan.deviations ?? []).map(
    ({ stream, ordinal, value }) => `${stream}#${ordinal}=${value}`,
  )
  return `[${done.join(', ')}] in world ${plan.seed}${decided.length === 0 ? '' : `, deviating at ${decided.join(', ')}`}`
}

// ---- commands that most properties want -----------------------------------------------------------------------------

/** Tells a durable actor something, and waits until it is kept, trying again over crashes. `told` is called then. */
export function send<D extends AnyDefinition, Model = unknown>(
  definition: D,
  key: string,
  messages: Arbitrary<MessageTo<D>>,
  told?: (model: Model, message: MessageTo<D>) => void,
): Command<Model, MessageTo<D>> {
  const sent = perWorld(() => ({ count: 0 }))
  return {
    name: `tell ${definition.name} ${key}`,
    argument: messages,
    run: async (world, message, model) => {
      sent.current.count += 1
      const id = `${key}-${sent.current.count}`
      // The message is one of its protocol.
      const ref = world.get(definition, key) as unknown as {
        tell(message: unknown, options: { readonly durable: true; readonly id: string }): Promise<void>
      }
      await world.retrying(() => ref.tell(message, { durable: true, id }))
      told?.(model, message)
    },
  }
}

type MessageTo<D> = D extends { readonly protocol: infer P extends Protocol } ? MessageOf<P> : never

/** The process of a node dies, and comes back by itself. */
export const crash = (node?: string): Command => ({
  name: `crash ${node ?? 'a node'}`,
  run: (world) => {
    const { nodes } = world
    const chosen = node === undefined ? nodes[0] : world.node(node)
    chosen?.crash('a command')
  },
})

/** Time passes. */
export const advance = (ms: Arbitrary<number>): Command<unknown, number> => ({
  name: 'advance',
  argument: ms,
  run: (world, argument) => world.sleep(argument),
})

/** Nothing arrives between two nodes, until `heal`. */
export const partition = (a: string, b: string): Command => ({
  name: `partition ${a} | ${b}`,
  run: (world) => {
    world.network.partition([a], [b])
  },
})

/** Everything arrives again. */
export const heal = (): Command => ({
  name: 'heal',
  run: (world) => {
    world.network.heal()
  },
})
