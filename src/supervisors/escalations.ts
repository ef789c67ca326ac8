import type { Cell } from '../actors/cell.ts'
import { isRisk, lacks, Ledger, noAuthority, type Lack, type Purse } from './authority.ts'
import {
  Escalation,
  EscalationInvalidError,
  EscalationLimitError,
  type EscalationKernel,
  type Outcome,
  type PendingEscalation,
  type Request,
} from './escalation.ts'
import { authorityOf, enclosingTier } from './tiers.ts'

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

  /** US dollars out of the purse of each tier. */
  spentUsd(): Iterable<readonly [string, number]> {
    return this.#ledger.spentUsd()
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
