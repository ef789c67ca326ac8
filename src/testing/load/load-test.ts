import { systemClock, type Clock } from '../../core/clock.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { millisecondsOf, type Duration } from '../duration.ts'
import { freshSeed, seededRandom } from '../../core/random.ts'
import { arrivalTimes, type Arrival } from './arrival.ts'
import { Curve, evenEdges, mostPoints, totalOf, type CurvePoint } from './curve.ts'
import { doubtsOf } from './doubts.ts'
import { Generator, type LoadCall } from './generator.ts'
import { loadLatencies, type LatenciesFactory, type LatencyFigures } from './latencies.ts'
import { LoopDelay } from './loop-delay.ts'
import { overloadCodes, type Outcome } from './outcome.ts'
import { checkSlo, judge, type Slo, type SloClause } from './slo.ts'

/** What is put under load. */
export interface LoadScenario<Context> {
  readonly name: string
  /** What requests share: a runtime and its actors, or a client of a system elsewhere. Not part of what is measured. */
  setup?(): Context | Promise<Context>
  /** One request. It succeeds when it resolves; what it resolves to is not looked at. */
  request(context: Context, call: LoadCall): Promise<unknown>
  /** Runs whatever happened after `setup`. */
  teardown?(context: Context): unknown
}

export interface LoadTestOptions {
  readonly arrival: Arrival
  /** How long requests arrive: `'30s'`. */
  readonly duration: Duration
  readonly slo: Slo
  /** What decides random arrivals. Default: a fresh one, which the result names. */
  readonly seed?: number | string
  /** How long a request is waited for, from when it was due. Default 10 s, at most an hour. */
  readonly deadlineMs?: number
  /** How long requests are waited for after the last arrival. Default: the deadline. */
  readonly drainMs?: number
  /** Requests under way at once; arrivals beyond are counted as `unsent`. Default 10,000. */
  readonly maxInFlight?: number
  /** Length of a point of the goodput curve. Default: a second, or as the plan says. */
  readonly pointMs?: number
  /** Codes of errors that count as `refused`. Default: those by which Echelon sheds load. */
  readonly refusalCodes?: readonly string[]
  /** A generator whose arrivals or timers are later than this, one in a hundred, casts doubt on the result. Default 20. */
  readonly maxLagMs?: number
  readonly clock?: Clock
}

/** How well the generator kept to its plan. */
export interface GeneratorFigures {
  /** By how much arrivals were sent late. */
  readonly lag: LatencyFigures
  /** By how much timers of this thread were late. */
  readonly loopDelay: LatencyFigures
  readonly mostInFlight: number
  /** Requests that had been given up and had still not stopped at the end. */
  readonly abandoned: number
  /** Whether it fell behind by more than `maxLagMs`. */
  readonly behind: boolean
}

/** Plain data: it can be written to a file and compared with that of another run. */
export interface LoadResult {
  readonly scenario: string
  readonly arrival: string
  readonly durationMs: number
  readonly seed: string
  readonly verdict: 'pass' | 'fail'
  readonly clauses: readonly SloClause[]
  readonly total: Readonly<Record<Outcome | 'offered', number>>
  /** From when a request was due to its answer. Of answers, and of what expired, which counts as its deadline. */
  readonly latency: LatencyFigures
  /** The same from when it was sent. What lies between the two is the generator's. */
  readonly sinceSent: LatencyFigures
  readonly curve: readonly CurvePoint[]
  readonly errors: readonly { readonly code: string; readonly count: number }[]
  readonly generator: GeneratorFigures
  /** Reasons not to believe the figures, each a sentence. */
  readonly doubts: readonly string[]
}

/**
 * Sends requests to a system as `arrival` says, whether or not it keeps up (open loop), and judges what came back.
 *
 * Takes as long as `duration` and what is left to drain. Rejects with `DEFINITION_INVALID` for wrong options, with
 * `DEPENDENCY_MISSING` when `hdr-histogram-js` is not installed, and with what `setup` or `teardown` fails with.
 * @see https://www.scylladb.com/2021/04/22/on-coordinated-omission/
 */
export async function loadTest<Context>(
  scenario: LoadScenario<Context>,
  options: LoadTestOptions,
): Promise<LoadResult> {
  const asked = withDefaults(scenario.name, options)
  const makeLatencies = await loadLatencies()
  // Without `setup`, nothing says what a context is: it is `unknown` to the scenario, and undefined.
  const context = scenario.setup === undefined ? (undefined as Context) : await scenario.setup()
  try {
    return await measure(asked, makeLatencies, (call) => scenario.request(context, call))
  } finally {
    await scenario.teardown?.(context)
  }
}

type Asked = ReturnType<typeof withDefaults>

async function measure(
  asked: Asked,
  makeLatencies: LatenciesFactory,
  request: (call: LoadCall) => Promise<unknown>,
): Promise<LoadResult> {
  const { clock, durationMs, deadlineMs, edgesMs } = asked
  const curve = new Curve(edgesMs, durationMs, deadlineMs, makeLatencies)
  const latency = makeLatencies(deadlineMs)
  const sinceSent = makeLatencies(deadlineMs)
  const lag = makeLatencies(longestDelayMs)
  const loopDelays = makeLatencies(longestDelayMs)
  const times = arrivalTimes(asked.arrival, durationMs, seededRandom(asked.seed).fork('arrivals'))
  const generator = new Generator(times, { ...asked, curve, latency, sinceSent, lag, request })
  const loopDelay = new LoopDelay(clock, loopDelays)
  loopDelay.start()
  await generator.run()
  loopDelay.stop()
  const late = { lag: lag.figures(), loopDelay: loopDelays.figures() }
  return resultOf(asked, {
    curve: curve.points(),
    latency: latency.figures(),
    sinceSent: sinceSent.figures(),
    errors: generator.errors.list(),
    generator: {
      ...late,
      mostInFlight: generator.mostInFlight,
      abandoned: generator.inFlight,
      behind: Math.max(late.lag.p99Ms, late.loopDelay.p99Ms) > asked.maxLagMs,
    },
  })
}

function resultOf(
  asked: Asked,
  measured: Pick<LoadResult, 'curve' | 'latency' | 'sinceSent' | 'errors' | 'generator'>,
): LoadResult {
  const total = totalOf(measured.curve)
  const clauses = judge(asked.slo, { ...measured, total, calmFromMs: asked.calmFromMs ?? 0 })
  return {
    scenario: asked.name,
    arrival: asked.arrival.name,
    durationMs: asked.durationMs,
    seed: asked.seed,
    verdict: clauses.every(({ holds }) => holds) ? 'pass' : 'fail',
    clauses,
    total,
    ...measured,
    doubts: doubtsOf({ ...measured, total, clauses, maxLagMs: asked.maxLagMs, maxInFlight: asked.maxInFlight }),
  }
}

/** Lateness of the generator above this counts as this. */
const longestDelayMs = 60_000

const longestDeadlineMs = 3_600_000

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID`. */
function withDefaults(name: string, options: LoadTestOptions) {
  const where = `loadTest '${name}'`
  const { arrival, slo, deadlineMs = 10_000, maxInFlight = 10_000, maxLagMs = 20 } = options
  const { drainMs = deadlineMs, pointMs } = options
  const durationMs = millisecondsOf(options.duration, `${where}: duration`)
  milliseconds(where, 'duration', durationMs, Infinity)
  milliseconds(where, 'deadlineMs', deadlineMs, longestDeadlineMs)
  milliseconds(where, 'drainMs', drainMs, Infinity)
  milliseconds(where, 'maxLagMs', maxLagMs, longestDelayMs)
  milliseconds(where, 'pointMs', pointMs ?? 1000, Infinity)
  if (!(Number.isInteger(maxInFlight) && maxInFlight > 0))
    throw new DefinitionInvalidError(where, `maxInFlight is ${maxInFlight}: give a whole number of requests above 0`)
  const calmFromMs = slo.recoverFromMs ?? arrival.calmFromMs
  checkSlo(slo, where, calmFromMs, durationMs)
  const points = durationMs / (pointMs ?? 1000)
  if (points > mostPoints)
    throw new DefinitionInvalidError(where, `a curve has ${mostPoints} points at most: raise pointMs`)
  return {
    name,
    arrival,
    durationMs,
    slo,
    deadlineMs,
    drainMs,
    maxInFlight,
    maxLagMs,
    calmFromMs,
    withinMs: slo.withinMs ?? slo.p999Ms ?? slo.p99Ms ?? deadlineMs,
    edgesMs:
      pointMs === undefined && arrival.edgesMs !== undefined ? arrival.edgesMs : evenEdges(durationMs, pointMs ?? 1000),
    refusalCodes: options.refusalCodes ?? overloadCodes,
    seed: String(options.seed ?? freshSeed()),
    clock: options.clock ?? systemClock,
  }
}

function milliseconds(where: string, what: string, value: number, most: number): void {
  if (value > 0 && value <= most && value < Infinity) return
  const bound = most < Infinity ? ` and up to ${most}` : ''
  throw new DefinitionInvalidError(where, `${what} is ${value}: give milliseconds above 0${bound}`)
}
