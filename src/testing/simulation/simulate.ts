import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { systemClock } from '../../core/clock.ts'
import { SimulationFailedError } from './errors.ts'
import { caseOf } from './replay.ts'
import { failureText } from './report.ts'
import { runWorld, type Plan, type RunOptions, type WorldResult } from './run-world.ts'
import { nameOf, sometimesOf, type Scenario } from './scenario.ts'
import { signatureOf } from './signature.ts'
import { shrink, type ShrinkReport } from './shrink.ts'
import { writeCase } from './simcase.ts'
import { runOptionsOf, seedsOf, type SimulateOptions } from './simulate-options.ts'

/** What a campaign has gone through. */
export interface CampaignReport {
  readonly scenario: string
  readonly worlds: number
  readonly faults: number
  readonly steps: number
  /** Messages that actors handled. */
  readonly delivered: number
  readonly virtualMs: number
  readonly wallMs: number
  /** How many worlds came by what a campaign has to come by. */
  readonly sometimes: Readonly<Record<string, number>>
  /** Why runs were not repeatable, when they were not. */
  readonly external: string | undefined
}

/** Worlds between two calls of `onProgress`. */
const progressEvery = 100

/**
 * Runs a scenario in many worlds, each decided by its seed, and looks for one that breaks an invariant. That one is
 * shrunk to the fewest choices, faults and reorderings that still break it, and written to a file that replays.
 * @throws {SimulationFailedError} `SIMULATION_FAILED` for what was found, also when the campaign never came by what the
 * scenario says that it sometimes does; {SimulationBusyError} `SIMULATION_BUSY` inside of another world.
 */
export async function simulate(scenario: Scenario, options: SimulateOptions = {}): Promise<CampaignReport> {
  const campaign = new Campaign(scenario, options)
  await campaign.run()
  return campaign.report()
}

class Campaign {
  readonly #scenario: Scenario
  readonly #options: SimulateOptions
  readonly #run: RunOptions
  readonly #beganMs = systemClock.now()
  readonly #sometimes = new Map<string, number>()
  #worlds = 0
  #faults = 0
  #steps = 0
  #delivered = 0
  #virtualMs = 0
  #external: string | undefined

  constructor(scenario: Scenario, options: SimulateOptions) {
    this.#scenario = scenario
    this.#options = options
    this.#run = runOptionsOf(options)
    for (const name of sometimesOf(scenario)) this.#sometimes.set(name, 0)
  }

  async run(): Promise<void> {
    const { twiceEvery = 20, strategy, onProgress, signal } = this.#options
    if (!Number.isSafeInteger(twiceEvery) || twiceEvery < 0)
      throw new DefinitionInvalidError('simulate: twiceEvery', `${twiceEvery} is no number of worlds`)
    for (const seed of seedsOf(this.#options)) {
      signal?.throwIfAborted()
      const plan: Plan = { seed, strategy }
      const result = await runWorld(this.#scenario, plan, this.#run)
      this.#count(result)
      if (result.violation !== undefined) await this.#fail(plan, result)
      if (twiceEvery > 0 && this.#worlds % twiceEvery === 0 && result.external === undefined)
        await this.#checkTwice(plan, result)
      if (this.#worlds % progressEvery === 0) onProgress?.(this.report())
    }
    this.#checkSometimes()
  }

  #count(result: WorldResult): void {
    this.#worlds += 1
    this.#faults += result.faults
    this.#steps += result.steps
    this.#delivered += result.delivered
    this.#virtualMs += result.virtualMs
    this.#external ??= result.external
    for (const name of result.reached) this.#sometimes.set(name, (this.#sometimes.get(name) ?? 0) + 1)
  }

  /** I9: the same plan is the same world. */
  async #checkTwice(plan: Plan, first: WorldResult): Promise<void> {
    const second = await runWorld(this.#scenario, plan, this.#run)
    if (second.traceHash === first.traceHash) return
    const text = await whereTheyPart(this.#scenario, plan, this.#run)
    throw new SimulationFailedError(
      'I9 determinism',
      `${nameOf(this.#scenario)}: seed ${plan.seed}: ${text}`,
      undefined,
      undefined,
    )
  }

  #checkSometimes(): void {
    const never = sometimesOf(this.#scenario).filter((name) => this.#sometimes.get(name) === 0)
    if (never.length === 0) return
    const text = `${nameOf(this.#scenario)}: ${this.#worlds} worlds never came by ${never.map((name) => `'${name}'`).join(', ')}: they have shown nothing about it. More seeds, more faults, or another scenario`
    throw new SimulationFailedError('I15 sometimes', text, undefined, undefined)
  }

  async #fail(plan: Plan, first: WorldResult): Promise<never> {
    const { maxShrinkRuns = 2000, signal } = this.#options
    const shrunk = await shrinkWorld(this.#scenario, plan, first, this.#run, maxShrinkRuns, signal)
    const result = await runWorld(
      this.#scenario,
      { ...plan, deviations: shrunk.deviations },
      { ...this.#run, keepTrace: true },
    )
    // A world that depends on something outside may go another way each time.
    const shown =
      result.violation === undefined ? await runWorld(this.#scenario, plan, { ...this.#run, keepTrace: true }) : result
    const file = this.#write(plan, shown)
    const report = failureText({
      scenario: nameOf(this.#scenario),
      result: shown,
      worlds: this.#worlds,
      shrinkRuns: shrunk.runs,
      firstSize: first.deviations.length,
      file,
    })
    throw new SimulationFailedError(shown.violation?.invariant ?? '', report, file, shown.violation?.error)
  }

  #write(plan: Plan, result: WorldResult): string | undefined {
    const { folder = 'simcases', module } = this.#options
    if (folder === false) return undefined
    const found = caseOf(this.#scenario, plan, result, this.#run)
    return writeCase(folder, module === undefined ? found : { ...found, module: moduleFrom(folder, module) })
  }

  report(): CampaignReport {
    return {
      scenario: nameOf(this.#scenario),
      worlds: this.#worlds,
      faults: this.#faults,
      steps: this.#steps,
      delivered: this.#delivered,
      virtualMs: this.#virtualMs,
      wallMs: systemClock.now() - this.#beganMs,
      sometimes: Object.fromEntries(this.#sometimes),
      external: this.#external,
    }
  }
}

/** The path of a module from the folder of its cases, the same on every system. */
export function moduleFrom(folder: string, module: string): string {
  if (!module.startsWith('file:')) return module
  return path.relative(folder, fileURLToPath(module)).replaceAll(path.sep, '/')
}

/** Looks for the fewest decisions with which the world of `plan` still breaks the same invariant. */
export function shrinkWorld(
  scenario: Scenario,
  plan: Plan,
  first: WorldResult,
  options: RunOptions,
  maxRuns: number,
  signal?: AbortSignal,
): Promise<ShrinkReport> {
  // One that has become a circle is not waited for as long as the first.
  const signature = signatureOf(first.violation)
  const bounded = { ...options, maxSteps: Math.min(options.maxSteps ?? Infinity, first.steps * 4 + 10_000) }
  return shrink(
    first.deviations,
    async (deviations) => {
      signal?.throwIfAborted()
      const { violation, deviations: came } = await runWorld(scenario, { ...plan, deviations }, bounded)
      return signatureOf(violation) === signature ? came : undefined
    },
    { maxRuns },
  )
}

/** The first decision in which two runs of one plan differ. */
async function whereTheyPart(scenario: Scenario, plan: Plan, options: RunOptions): Promise<string> {
  const kept = { ...options, keepLog: true, keepTrace: true }
  const [a, b] = [await runWorld(scenario, plan, kept), await runWorld(scenario, plan, kept)]
  const text = ({ stream, ordinal, n, value }: WorldResult['log'][number]): string =>
    `${stream}#${ordinal} = ${value} of ${n}`
  const index = a.log.findIndex((decision, at) => {
    const other = b.log[at]
    return other === undefined || text(decision) !== text(other)
  })
  const line = a.trace.findIndex(({ what, place, atMs }, at) => {
    const other = b.trace[at]
    return other?.what !== what || other.place !== place || other.atMs !== atMs
  })
  const [decisionA, decisionB] = [a.log[index], b.log[index]]
  const [lineA, lineB] = [a.trace[line], b.trace[line]]
  return [
    'two runs of it went different ways: something in it is not decided by the seed (module state, a cache, real time)',
    ...(decisionA === undefined
      ? []
      : [`first at decision ${index}: ${text(decisionA)} and ${decisionB === undefined ? 'none' : text(decisionB)}`]),
    ...(lineA === undefined
      ? []
      : [
          `first in line ${line} of the trace: ${lineA.node} ${lineA.place} ${lineA.what} and ${lineB === undefined ? 'none' : `${lineB.node} ${lineB.place} ${lineB.what}`}`,
        ]),
  ].join('; ')
}
