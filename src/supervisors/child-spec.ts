import { workerRules, type ChildRules, type Shutdown } from '../actors/child-rules.ts'
import type { AnyDefinition, InputOf } from '../actors/definition.ts'
import { parseInput } from '../actors/input.ts'
import { isDefinition } from '../actors/starting.ts'
import { DefinitionInvalidError, EchelonError } from '../core/errors.ts'
import { describeError, isCleanExit, type ExitReason } from '../core/exit.ts'
import { isSegment } from '../core/ids.ts'
import { checkBackoff, type Backoff } from './backoff.ts'
import { checkIntensity, type Intensity } from './restart-intensity.ts'
import type { AutoShutdown } from './strategy.ts'

/** When a child is started again: always, after an abnormal end, never. OTP's words. */
export type RestartType = 'permanent' | 'transient' | 'temporary'

/** The restart decision of OTP, by restart type. */
export const shouldRestart: Readonly<Record<RestartType, (exit: ExitReason) => boolean>> = {
  permanent: () => true,
  transient: (exit) => !isCleanExit(exit),
  temporary: () => false,
}

/** What may be said about a child. Everything that OTP has no word for is off unless it is named. */
export interface ChildOptions<D> {
  /** Unique in its supervisor, and the last segment of its path. Default: the definition's name. */
  readonly id?: string
  readonly input?: InputOf<D>
  /** Default `permanent`. */
  readonly restart?: RestartType
  /** Milliseconds to stop before it is killed, `infinity`, or `brutal_kill`. Default 5,000; for a supervisor `infinity`. */
  readonly shutdown?: Shutdown
  /** Its end can end the supervisor: see `autoShutdown`. Default false. */
  readonly significant?: boolean
  /** Waits before restarts. */
  readonly backoff?: Backoff
  /** Counts this child's restarts apart from its siblings'; when exceeded this child stays down and is escalated. */
  readonly intensity?: Intensity
  /** What becomes of it for each error. Default: restart, by its restart type. */
  readonly decide?: ChildRules['decide']
  /** Whether mailbox and watchers outlive a crash. Default false, as in OTP. */
  readonly keepMailbox?: boolean
  /** With `keepMailbox`: a failing message is tried again until it failed `after` times, then it is a dead letter. */
  readonly poison?: { readonly after: number }
  /** State of the next incarnation: its first (default), the last before the failure, or for a durable actor what its journal says. */
  readonly stateOnRestart?: ChildRules['stateOnRestart']
  /** One message may take so long without `progress()`; longer is a failure with `STUCK`. */
  readonly progress?: { readonly withinMs: number }
  /** What one incarnation may use up; more is a failure with `BUDGET_EXCEEDED`. */
  readonly budget?: ChildRules['budget']
  readonly inspect?: ChildRules['inspect']
}

/**
 * A definition with the terms on which a supervisor runs it: OTP's child specification. Made by `child`. The cells of a
 * supervisor's children have their spec as their rules.
 */
export interface ChildSpec<D extends AnyDefinition = AnyDefinition> extends ChildRules {
  readonly kind: 'child'
  readonly id: string
  readonly definition: D
  readonly input: unknown
  readonly restart: RestartType
  readonly significant: boolean
  readonly backoff: Backoff | undefined
  readonly intensity: Intensity | undefined
}

/** What the children of a supervisor are given as: a definition, with OTP's default terms, or a spec. */
export type ChildInput = AnyDefinition | ChildSpec

/** A child spec that OTP would refuse, too. */
export class ChildSpecInvalidError extends EchelonError {
  readonly code = 'CHILD_SPEC_INVALID'
  readonly child: string
  constructor(child: string, problem: string, options?: ErrorOptions) {
    super(`Child spec '${child}': ${problem}`, options)
    this.child = child
  }
}

/**
 * Says on which terms a supervisor runs `definition`: `child(reader, { restart: 'transient' })`.
 * @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID`
 */
export function child<D extends AnyDefinition>(definition: D, options: ChildOptions<D> = {}): ChildSpec<D> {
  if (!isDefinition(definition))
    throw new ChildSpecInvalidError(describeError(definition), 'is no definition: make one with defineActor')
  const {
    id = definition.name,
    input,
    restart = 'permanent',
    shutdown = definition.type === 'supervisor' ? 'infinity' : workerRules.shutdown,
    significant = false,
    backoff,
    intensity,
    keepMailbox = false,
    poison,
    progress,
    budget,
    decide,
    stateOnRestart = definition.durable === undefined ? 'fresh' : 'replay',
    inspect,
  } = options
  const spec: ChildSpec<D> = {
    kind: 'child',
    id,
    definition,
    input,
    restart,
    significant,
    backoff,
    intensity,
    shutdown,
    decide,
    keepMailbox,
    poisonAfter: poison?.after,
    stateOnRestart,
    progressWithinMs: progress?.withinMs,
    budget,
    isPassive: false,
    inspect,
  }
  checkSpec(spec)
  return spec
}

/** A spec for whatever was given. @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID` when it is neither. */
export function toChildSpec(given: ChildInput): ChildSpec {
  // Callers may come from untyped code.
  const unknown: unknown = given
  if (typeof unknown === 'object' && unknown !== null && given.kind === 'child') return given
  if (isDefinition(given)) return child(given)
  throw new ChildSpecInvalidError(describeError(unknown), 'is neither a definition nor made by child()')
}

const statesOnRestart: readonly string[] = ['fresh', 'snapshot', 'replay'] satisfies ChildSpec['stateOnRestart'][]

const resources: readonly string[] = ['usd', 'tokens', 'calls', 'messages', 'wallMs'] satisfies (keyof NonNullable<
  ChildSpec['budget']
>)[]

const positive = (value: number): boolean => Number.isFinite(value) && value > 0

function checkSpec(spec: ChildSpec): void {
  const { id, restart, significant, backoff, intensity, keepMailbox, stateOnRestart, decide } = spec
  const refuse = (problem: string): never => {
    throw new ChildSpecInvalidError(id, problem)
  }
  if (!isSegment(id)) refuse('an id is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
  if (!Object.hasOwn(shouldRestart, restart)) refuse(`restart '${restart}' is none of permanent, transient, temporary`)
  if (typeof significant !== 'boolean') refuse(`significant must be true or false`)
  if (typeof keepMailbox !== 'boolean') refuse('keepMailbox must be true or false')
  if (decide !== undefined && typeof decide !== 'function')
    refuse('decide is no function from a failure to a directive')
  if (significant && restart === 'permanent') refuse('a permanent child cannot be significant: it never ends')
  const { shutdown, poisonAfter, progressWithinMs, budget } = spec
  const isTime = typeof shutdown === 'number' && shutdown >= 0 && Number.isFinite(shutdown)
  if (!isTime && shutdown !== 'infinity' && shutdown !== 'brutal_kill') {
    refuse(`shutdown ${shutdown} is no time: give milliseconds of 0 or more, infinity or brutal_kill`)
  }
  if (!statesOnRestart.includes(stateOnRestart))
    refuse(`stateOnRestart '${stateOnRestart}' is none of fresh, snapshot, replay`)
  if ((stateOnRestart === 'replay') !== (spec.definition.durable !== undefined))
    refuse('stateOnRestart replay is for durable actors, which come back in no other way')
  if (poisonAfter !== undefined && (!Number.isSafeInteger(poisonAfter) || poisonAfter < 1))
    refuse(`poison.after ${poisonAfter} is not a positive integer`)
  if (poisonAfter !== undefined && !keepMailbox) refuse('poison needs keepMailbox: otherwise no message is tried again')
  if (progressWithinMs !== undefined && !positive(progressWithinMs))
    refuse(`progress.withinMs ${progressWithinMs} is not above 0`)
  for (const [resource, limit] of Object.entries(budget ?? {})) {
    if (!resources.includes(resource)) refuse(`budget.${resource} is none of ${resources.join(', ')}`)
    if (!positive(limit as number)) refuse(`budget.${resource} ${String(limit)} is not above 0`)
  }
  try {
    if (backoff !== undefined) checkBackoff(id, backoff)
    if (intensity !== undefined) checkIntensity(id, intensity)
  } catch (error) {
    if (error instanceof DefinitionInvalidError) throw new ChildSpecInvalidError(id, error.message, { cause: error })
    throw error
  }
}

/** The children that a supervisor's definition names: what can be known of a tree before it runs. */
export const declaredChildren = new WeakMap<AnyDefinition, readonly ChildSpec[]>()

/** The specs of a supervisor's child list. @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID`, also for an id that comes twice. */
export function childList(
  supervisor: string,
  children: readonly ChildInput[],
  autoShutdown: AutoShutdown,
): readonly ChildSpec[] {
  if (!Array.isArray(children))
    throw new DefinitionInvalidError(`${supervisor}.children`, 'is no list: give [] when there are none')
  const specs = (children as readonly ChildInput[]).map(toChildSpec)
  const seen = new Set<string>()
  for (const spec of specs) {
    if (seen.has(spec.id)) throw new ChildSpecInvalidError(spec.id, 'the id comes twice: give one of them another id')
    seen.add(spec.id)
    checkSignificance(spec, autoShutdown)
    checkInput(spec)
  }
  return specs
}

/** @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID` when the definition's schema refuses the input. */
export function checkInput({ id, definition, input }: ChildSpec): void {
  try {
    parseInput(definition, input)
  } catch (error) {
    throw new ChildSpecInvalidError(id, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID` for a significant child of a supervisor that pays it no heed. */
export function checkSignificance({ id, significant }: ChildSpec, autoShutdown: AutoShutdown): void {
  if (significant && autoShutdown === 'never') {
    throw new ChildSpecInvalidError(
      id,
      "significant needs a supervisor with autoShutdown 'any_significant' or 'all_significant'",
    )
  }
}
