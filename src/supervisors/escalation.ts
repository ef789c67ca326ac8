import type { Cell } from '../actors/cell.ts'
import type { Kernel } from '../actors/kernel.ts'
import type { TimerHandle } from '../core/clock.ts'
import { EchelonError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import type { ActorPath } from '../core/ids.ts'
import type { DecisionNeeds, EscalationOutcome, EscalationRequest } from '../core/services.ts'
import type { Lack } from './authority.ts'
import { enclosingTier, tierOf, type Decide, type Matter, type Verdict } from './tiers.ts'

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

export type EscalationKernel = Pick<Kernel, 'clock' | 'observerFailed'>
export type Outcome = EscalationOutcome<string>
export type Request = EscalationRequest<string>
/** Sets money aside; the result puts it back. */
type Hold = (tier: Cell, request: Request) => (() => void) | undefined

/** One decision on its way up. It is settled once: by a tier, a person, its deadline, or the end of the one who asks. */
export class Escalation implements PendingEscalation {
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
