import type { Cell } from '../actors/cell.ts'
import type { Kernel } from '../actors/kernel.ts'
import type { TimerHandle } from '../core/clock.ts'
import { EchelonError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import type { ActorPath } from '../core/ids.ts'
import type { DecisionNeeds, EscalationOutcome, EscalationRequest } from '../core/services.ts'
import { isRisk, lacks, Ledger, noAuthority, type Lack, type Purse } from './authority.ts'
import { authorityOf, enclosingTier, tierOf, type Decide, type Matter, type Verdict } from './tiers.ts'

/** An escalation request that cannot be decided. */
export class EscalationInvalidError extends EchelonError {
  readonly code = 'ESCALATION_INVALID'
  constructor(from: string, action: string, problem: string) {
    super(`Escalation '${action}' of ${from}: ${problem}`)
  }
}

/** As many decisions wait already as may. */
export class EscalationLimitError extends EchelonError {
  readonly code = 'ESCALATION_LIMIT'
  override readonly retryable = true
  constructor(from: string, action: string, limit: number) {
    super(
      `Escalation '${action}' of ${from}: ${limit} decisions wait already; decide some, or give them shorter deadlines`,
    )
  }
}

/** A decision that somebody has yet to take. */
export interface PendingEscalation {
  readonly id: string
  readonly from: ActorPath
  /** The tier that is asked now, or `person` past the top. */
  readonly to: ActorPath | 'person'
  readonly request: EscalationRequest<string>
  readonly lacks: readonly Lack[]
  /** When the default is taken, in epoch milliseconds. */
  readonly deadlineMs: number
  /** Decides, with a person's authority. True the first time that it is given one of the options, unless it was decided before. */
  readonly resolve: (choice: string, note?: string) => boolean
}

type EscalationKernel = Pick<Kernel, 'clock' | 'observerFailed'>
type Outcome = EscalationOutcome<string>
type Request = EscalationRequest<string>
/** Sets money aside; the result puts it back. */
type Hold = (tier: Cell, request: Request) => (() => void) | undefined

/**
 * Decisions that actors may not take alone: they go up the tiers, and to a person past the top.
 *
 * 1. Every request has exactly one outcome, at the latest at its deadline; one whose actor has ended has none.
 * 2. Nothing but the default is ever chosen by an actor or a tier whose authority does not cover the request.
 * 3. What is granted never exceeds the budget of the tier that grants it, nor that of any tier above.
 */
export class Escalations {
  readonly #kernel: EscalationKernel
  readonly #limit: number
  readonly #ledger = new Ledger()
  readonly #pending = new Set<Escalation>()
  #made = 0
  #closing = false

  constructor(kernel: EscalationKernel, limit = 1000) {
    this.#kernel = kernel
    this.#limit = limit
  }

  get pending(): readonly PendingEscalation[] {
    return [...this.#pending]
  }

  /** The runtime shuts down: what waits gets its default, and so does what comes. */
  close(): void {
    this.#closing = true
    for (const escalation of this.#pending) escalation.giveUp('the runtime shuts down')
  }

  /** Rejects with `ESCALATION_INVALID` or `ESCALATION_LIMIT`. */
  async decide(from: Cell, request: Request): Promise<Outcome> {
    checkRequest(from.path, request)
    const { choice, defaultChoice } = request
    if (choice === defaultChoice) return { choice, by: from.path, reason: 'the default needs no authority' }
    const own = enclosingTier(from)
    if (choice !== undefined && this.#hold(own, request) !== undefined) {
      return {
        choice,
        by: from.path,
        reason: own === undefined ? 'it needs no authority' : `within the authority of ${own.path}`,
      }
    }
    if (this.#closing) return { choice: defaultChoice, by: 'default', reason: 'the runtime shuts down' }
    if (from.aborted) return { choice: defaultChoice, by: 'default', reason: `${from.path} is stopping` }
    if (this.#pending.size >= this.#limit) throw new EscalationLimitError(from.path, request.action, this.#limit)
    this.#made += 1
    const escalation = new Escalation(
      `decision-${this.#made}`,
      this.#kernel,
      from,
      request,
      this.#lacks(own, request),
      () => {
        this.#pending.delete(escalation)
      },
    )
    this.#pending.add(escalation)
    void escalation.climb((tier) => this.#hold(tier, request))
    return escalation.outcome
  }

  #lacks(tier: Cell | undefined, request: Request): readonly Lack[] {
    if (tier === undefined) return lacks(noAuthority, request)
    const authority = authorityOf(tier)
    return lacks(
      { ...authority, spendUsd: Math.min(authority.spendUsd, this.#ledger.leftUsd(pursesOf(tier))) },
      request,
    )
  }

  /** Takes the money of a decision out of the purse of `tier` and those above; undefined when its authority does not cover it. */
  #hold(tier: Cell | undefined, request: Request): (() => void) | undefined {
    if (this.#lacks(tier, request).length > 0) return undefined
    return this.#ledger.hold(tier === undefined ? [] : pursesOf(tier), request.spendUsd ?? 0)
  }
}

/** The tier's own purse and those of all tiers above. */
function pursesOf(tier: Cell): readonly Purse[] {
  const above = enclosingTier(tier)
  return [{ path: tier.path, spendUsd: authorityOf(tier).spendUsd }, ...(above === undefined ? [] : pursesOf(above))]
}

/** One decision on its way up. It is settled once: by a tier, a person, its deadline, or the end of the one who asks. */
class Escalation implements PendingEscalation {
  readonly id: string
  readonly request: Request
  readonly lacks: readonly Lack[]
  readonly deadlineMs: number
  readonly outcome: Promise<Outcome>
  to: ActorPath | 'person' = 'person'
  readonly #kernel: EscalationKernel
  readonly #asker: Cell
  readonly #resolveOutcome: (outcome: Outcome) => void
  readonly #onEnd: () => void
  readonly #timer: TimerHandle
  readonly #ended = new AbortController()
  /** Puts back the money that is held for the tier that is asked now. */
  #release: (() => void) | undefined

  constructor(
    id: string,
    kernel: EscalationKernel,
    asker: Cell,
    request: Request,
    missing: readonly Lack[],
    onEnd: () => void,
  ) {
    this.id = id
    this.request = request
    this.lacks = missing
    this.#kernel = kernel
    this.#asker = asker
    this.#onEnd = onEnd
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.outcome = promise
    this.#resolveOutcome = resolve
    this.deadlineMs = kernel.clock.wallNow() + request.deadlineMs
    this.#timer = kernel.clock.setTimeout(() => {
      this.giveUp(`nobody decided within ${request.deadlineMs} ms`)
    }, request.deadlineMs)
    asker.signal.addEventListener('abort', this.#askerStops)
  }

  get from(): ActorPath {
    return this.#asker.path
  }

  get #isOpen(): boolean {
    return !this.#ended.signal.aborted
  }

  readonly resolve = (choice: string, note = 'a person decided'): boolean => {
    if (!this.#isOpen || !this.request.options.includes(choice)) return false
    this.#settle({ choice, by: 'person', reason: note })
    return true
  }

  /** Takes the default. */
  giveUp(reason: string): void {
    if (this.#isOpen) this.#settle({ choice: this.request.defaultChoice, by: 'default', reason })
  }

  /** Asks one tier after another, and then a person. Never rejects. */
  async climb(hold: Hold): Promise<void> {
    for (let tier = enclosingTier(this.#asker); tier !== undefined; tier = enclosingTier(tier)) {
      const decide = this.#decideOf(tier)
      if (decide !== undefined) await this.#ask(tier, decide, hold)
      if (!this.#isOpen) return
    }
    this.#goesTo('person')
  }

  /** How a tier decides; its own actor is not asked about what it asks itself. */
  #decideOf(cell: Cell): Decide<unknown> | undefined {
    const tier = tierOf(cell.definition)
    if (this.#asker.parent === cell && this.#asker.name === tier?.actor) return undefined
    // It takes the ref of its own tier's actor, which is what it is given.
    return tier?.decide as Decide<unknown> | undefined
  }

  async #ask(tier: Cell, decide: Decide<unknown>, hold: Hold): Promise<void> {
    this.#release = hold(tier, this.request)
    if (this.#release === undefined) return
    this.#goesTo(tier.path)
    try {
      const verdict = this.#isOpen ? await decide(this.#matterFor(tier)) : undefined
      if (this.#isOpen && verdict !== undefined) this.#settleBy(tier, verdict)
    } catch (error) {
      if (this.#isOpen) this.#kernel.observerFailed(`decide of ${tier.path}`, error)
    }
    if (this.#isOpen) this.#putBack()
  }

  #matterFor(tier: Cell): Matter<unknown> {
    const actor = tier.children?.get(tierOf(tier.definition)?.actor ?? '')?.ref
    return { request: this.request, from: this.from, tier: tier.path, actor, signal: this.#ended.signal }
  }

  /** @throws {EscalationInvalidError} `ESCALATION_INVALID` for a choice that is no option. */
  #settleBy({ path }: Cell, verdict: NonNullable<Verdict>): void {
    const { options, action } = this.request
    const { choice, reason } = typeof verdict === 'string' ? { choice: verdict, reason: `${path} decided` } : verdict
    if (!options.includes(choice))
      throw new EscalationInvalidError(
        this.from,
        action,
        `${path} chose '${choice}', which is none of ${options.join(', ')}`,
      )
    this.#settle({ choice, by: path, reason })
  }

  #goesTo(to: ActorPath | 'person'): void {
    this.to = to
    if (!eventChannels.escalated.hasSubscribers) return
    const { id, from, request, lacks, deadlineMs, resolve } = this
    const { action, spendUsd, risk, tool, detail, options, defaultChoice } = request
    const needs: DecisionNeeds = {
      action,
      ...(spendUsd !== undefined && { spendUsd }),
      ...(risk && { risk }),
      ...(tool !== undefined && { tool }),
    }
    const reason = { kind: 'decision', id, action, detail, needs, lacks } as const
    eventChannels.escalated.publish({
      type: 'escalated',
      ...this.#asker.origin,
      from,
      to,
      reason,
      options,
      defaultChoice,
      deadlineMs,
      resolve,
    })
  }

  readonly #askerStops = (): void => {
    // Nobody is there to learn of an outcome: there is none.
    if (this.#asker.status === 'stopped') this.#end()
    else this.giveUp(`${this.from} is stopping`)
  }

  #settle(outcome: Outcome): void {
    // Only what a tier granted is its to pay: a person decides with authority of their own, and the default costs nothing.
    const { defaultChoice } = this.request
    if (outcome.by !== 'person' && outcome.choice !== defaultChoice) this.#release = undefined
    this.#end()
    this.#resolveOutcome(outcome)
  }

  #end(): void {
    this.#putBack()
    this.#kernel.clock.clearTimeout(this.#timer)
    this.#asker.signal.removeEventListener('abort', this.#askerStops)
    this.#onEnd()
    this.#ended.abort()
  }

  #putBack(): void {
    this.#release?.()
    this.#release = undefined
  }
}

/** @throws {EscalationInvalidError} `ESCALATION_INVALID` */
function checkRequest(
  from: string,
  { action, options, defaultChoice, choice, deadlineMs, spendUsd, risk }: Request,
): void {
  const refuse = (problem: string): never => {
    throw new EscalationInvalidError(from, action, problem)
  }
  if (!Array.isArray(options) || options.length === 0) refuse('it has no options: give at least one')
  for (const given of [defaultChoice, ...(choice === undefined ? [] : [choice])]) {
    if (!options.includes(given)) refuse(`'${given}' is none of its options ${options.join(', ')}`)
  }
  if (!(deadlineMs > 0 && deadlineMs < Infinity)) refuse(`deadlineMs ${deadlineMs} is not above 0 milliseconds`)
  if (spendUsd !== undefined && !(spendUsd >= 0 && spendUsd < Infinity)) refuse(`spendUsd ${spendUsd} is not 0 or more`)
  if (risk !== undefined && !isRisk(risk)) refuse(`risk '${String(risk)}' is none of low, medium, high`)
}
