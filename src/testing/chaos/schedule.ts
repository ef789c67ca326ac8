import { systemClock, type Clock } from '../../core/clock.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { freshSeed, seededRandom, type Random } from '../../core/random.ts'

/** Something that can be done to a system, and undone. */
export interface ChaosAction {
  readonly name: string
  /** What this does may depend on `random`, which is seeded for this time alone. */
  start(random: Random): unknown
  /** Undoes it. Without, it is over when `start` is. */
  end?(): unknown
  /** How long it lasts, between two bounds in milliseconds. Default: it ends at once. */
  readonly lastsMs?: readonly [least: number, most: number]
  /** How often it is chosen, compared with the others. Default 1. */
  readonly weight?: number
}

export interface ChaosPlanOptions {
  /** Default: a fresh one, which the report names. */
  readonly seed?: number | string
  /** The last fault is over by then. */
  readonly durationMs: number
  /** Time without a fault between two, on average. */
  readonly everyMs: number
  /** Faults at most. Default 1000. */
  readonly most?: number
}

export interface ChaosScheduleOptions extends ChaosPlanOptions {
  /** How long a `start` or `end` may take. Default 30 s. */
  readonly withinMs?: number
  readonly clock?: Clock
}

/** One fault of a plan, in milliseconds from the start. */
export interface PlannedFault {
  readonly action: string
  readonly atMs: number
  readonly lastsMs: number
}

/** One fault as it went. */
export interface DoneFault extends PlannedFault {
  readonly startedMs: number
  readonly endedMs: number
  /** What `start` or `end` failed with; a schedule goes on. */
  readonly error?: string
}

/** Plain data. The same seed, actions and options give the same plan. */
export interface ChaosReport {
  readonly seed: string
  readonly planned: readonly PlannedFault[]
  readonly done: readonly DoneFault[]
}

/** A schedule that runs. Disposing of it stops it. */
export interface ChaosSchedule extends AsyncDisposable {
  readonly seed: string
  readonly planned: readonly PlannedFault[]
  /** Resolves when all faults are over. Never rejects: errors are in the report. */
  readonly done: Promise<ChaosReport>
  /** Ends the fault that is on, and begins no other. */
  stop(): Promise<ChaosReport>
}

/**
 * Does things to a system at random times, one after the other, as the seed says.
 *
 * What was planned is the same for a seed; when it happened is in the report, since real actions take time.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for wrong actions or options.
 */
export function chaosSchedule(actions: readonly ChaosAction[], options: ChaosScheduleOptions): ChaosSchedule {
  const seed = String(options.seed ?? freshSeed())
  const run = new RunningSchedule(actions, planChaos(actions, { ...options, seed }), { ...options, seed })
  return {
    seed,
    planned: run.planned,
    done: run.done,
    stop: () => run.stop(),
    [Symbol.asyncDispose]: async () => {
      await run.stop()
    },
  }
}

/** What a schedule with these would do. Pure. @throws {DefinitionInvalidError} `DEFINITION_INVALID`. */
export function planChaos(
  actions: readonly ChaosAction[],
  { seed = freshSeed(), durationMs, everyMs, most = 1000 }: ChaosPlanOptions,
): readonly PlannedFault[] {
  checkPlan(actions, { durationMs, everyMs, most })
  const random = seededRandom(seed).fork('chaos')
  const planned: PlannedFault[] = []
  for (let atMs = 0; planned.length < most;) {
    atMs += -Math.log(1 - random.next()) * everyMs
    const action = choose(actions, random)
    const [least, longest] = action.lastsMs ?? [0, 0]
    const lastsMs = least + random.next() * (longest - least)
    if (atMs + lastsMs > durationMs) break
    planned.push({ action: action.name, atMs, lastsMs })
    atMs += lastsMs
  }
  return planned
}

function choose(actions: readonly ChaosAction[], random: Random): ChaosAction {
  let left = random.next() * actions.reduce((sum, { weight = 1 }) => sum + weight, 0)
  const chosen = actions.find(({ weight = 1 }) => (left -= weight) < 0) ?? actions.at(-1)
  if (chosen === undefined) throw new DefinitionInvalidError('chaosSchedule', 'has no action')
  return chosen
}

function checkPlan(
  actions: readonly ChaosAction[],
  bounds: { readonly durationMs: number; readonly everyMs: number; readonly most: number },
): void {
  const refuse = (problem: string): never => {
    throw new DefinitionInvalidError('chaosSchedule', problem)
  }
  for (const [name, value] of Object.entries(bounds))
    if (!(value > 0 && value < Infinity)) refuse(`${name} is ${value}: give a number above 0`)
  if (actions.length === 0) refuse('has no action')
  if (new Set(actions.map(({ name }) => name)).size < actions.length) refuse('two actions have the same name')
  for (const { name, weight = 1, lastsMs: [least, longest] = [0, 0] } of actions) {
    if (!(weight > 0 && weight < Infinity)) refuse(`the weight of '${name}' is ${weight}: give a number above 0`)
    if (!(least >= 0 && longest >= least && longest < Infinity))
      refuse(`'${name}' lasts from ${least} to ${longest} ms: give two numbers that ascend`)
  }
}

type RunOptions = ChaosScheduleOptions & { readonly seed: string }

class RunningSchedule {
  readonly planned: readonly PlannedFault[]
  readonly done: Promise<ChaosReport>
  readonly #actions: ReadonlyMap<string, ChaosAction>
  readonly #clock: Clock
  readonly #seed: string
  readonly #withinMs: number
  readonly #stopping = Promise.withResolvers<void>()
  #isStopping = false

  constructor(actions: readonly ChaosAction[], planned: readonly PlannedFault[], options: RunOptions) {
    const { clock = systemClock, seed, withinMs = 30_000 } = options
    if (!(withinMs > 0))
      throw new DefinitionInvalidError('chaosSchedule', `withinMs is ${withinMs}: give a number above 0`)
    this.planned = planned
    this.#actions = new Map(actions.map((action) => [action.name, action]))
    this.#clock = clock
    this.#seed = seed
    this.#withinMs = withinMs
    this.done = this.#run()
  }

  stop(): Promise<ChaosReport> {
    this.#isStopping = true
    this.#stopping.resolve()
    return this.done
  }

  async #run(): Promise<ChaosReport> {
    const originMs = this.#clock.now()
    const done: DoneFault[] = []
    for (const [index, fault] of this.planned.entries()) {
      await this.#sleep(originMs + fault.atMs - this.#clock.now())
      if (this.#isStopping) break
      done.push(await this.#carryOut(fault, index, originMs))
    }
    return { seed: this.#seed, planned: this.planned, done }
  }

  /** A fault is ended also when it could not quite be started. */
  async #carryOut(fault: PlannedFault, index: number, originMs: number): Promise<DoneFault> {
    const action = this.#actions.get(fault.action)
    const random = seededRandom(this.#seed).fork(`fault ${index}`)
    const startedMs = this.#clock.now() - originMs
    const failed = await this.#attempt('start', () => action?.start(random))
    await this.#sleep(fault.lastsMs)
    const stuck = await this.#attempt('end', () => action?.end?.())
    const error = [failed, stuck].filter((text) => text !== undefined).join('; ')
    return { ...fault, startedMs, endedMs: this.#clock.now() - originMs, ...(error === '' ? {} : { error }) }
  }

  async #attempt(what: string, act: () => unknown): Promise<string | undefined> {
    const late = Promise.withResolvers<string>()
    const timer = this.#clock.setTimeout(() => {
      late.resolve(`${what}: not done within ${this.#withinMs} ms`)
    }, this.#withinMs)
    const acted = (async () => {
      try {
        await act()
        return undefined
      } catch (error) {
        return `${what}: ${error instanceof Error ? error.message : String(error)}`
      }
    })()
    const outcome = await Promise.race([acted, late.promise])
    this.#clock.clearTimeout(timer)
    return outcome
  }

  /** Until the time has passed or the schedule is stopped. */
  async #sleep(ms: number): Promise<void> {
    if (this.#isStopping || ms <= 0) return
    const slept = Promise.withResolvers<void>()
    const timer = this.#clock.setTimeout(slept.resolve, ms)
    await Promise.race([slept.promise, this.#stopping.promise])
    this.#clock.clearTimeout(timer)
  }
}
