import { DefinitionInvalidError, EchelonError } from '../core/errors.ts'
import type { DecisionNeeds, Risk } from '../core/services.ts'

/**
 * What a tier may decide alone. An omitted field is inherited from the tier above; at the top it means nothing (no
 * money, no risk, no tool), apart from `actions`, which then means every kind of action.
 */
export interface Authority {
  /** US dollars, for all that this tier and the tiers below it decide while the runtime runs. `Infinity` is no limit. */
  readonly spendUsd?: number
  /** The highest risk that it may take. */
  readonly risk?: Risk | 'none'
  readonly tools?: readonly string[] | '*'
  /** Kinds of action: those that requests name. */
  readonly actions?: readonly string[] | '*'
}

export type AuthorityField = keyof Authority
export type FullAuthority = Readonly<Required<Authority>>

/** What an actor has that belongs to no tier, and what the top tier inherits. */
export const noAuthority: FullAuthority = { spendUsd: 0, risk: 'none', tools: [], actions: '*' }

const riskRank: Readonly<Record<Risk | 'none', number>> = { none: 0, low: 1, medium: 2, high: 3 }

export const isRisk = (given: string): given is Risk => given !== 'none' && Object.hasOwn(riskRank, given)

/** A tier that claims more than the tier above it has: authority that is delegated can only shrink. */
export class AuthorityWidenedError extends EchelonError {
  readonly code = 'AUTHORITY_WIDENED'
  readonly tier: string
  readonly field: AuthorityField
  constructor(tier: string, field: AuthorityField, granted: unknown, claimed: unknown) {
    super(
      `Authority of ${tier}: ${field} ${show(claimed)} is wider than the ${show(granted)} of the tier above: ` +
        'claim at most that, or leave it out to inherit it',
    )
    this.tier = tier
    this.field = field
  }
}

const show = (value: unknown): string => (Array.isArray(value) ? `[${value.join(', ')}]` : String(value))

type ListOrAll = readonly string[] | '*'
const listCovers = (granted: ListOrAll, claimed: ListOrAll): boolean =>
  granted === '*' || (claimed !== '*' && claimed.every((item) => granted.includes(item)))

/** Whether a claim stays within what is granted, field by field. */
const within: {
  readonly [Field in AuthorityField]: (granted: FullAuthority[Field], claimed: FullAuthority[Field]) => boolean
} = {
  spendUsd: (granted, claimed) => claimed <= granted || amountMicro(claimed) <= limitMicro(granted),
  risk: (granted, claimed) => riskRank[claimed] <= riskRank[granted],
  tools: listCovers,
  actions: listCovers,
}

// Callers pass two values of the same field, which a table's type cannot say about a union of fields.
const fits = (field: AuthorityField, granted: unknown, claimed: unknown): boolean =>
  (within[field] as (granted: unknown, claimed: unknown) => boolean)(granted, claimed)

// The keys of an object literal are exactly its type's keys.
const fields = Object.keys(within) as readonly AuthorityField[]

/**
 * The authority of a tier that claims `claimed` below one that has `granted`: what it leaves out is inherited.
 * Associative from the top down, and nothing is ever wider than what it came from.
 * @throws {AuthorityWidenedError} `AUTHORITY_WIDENED` when it claims more; the error names `tier` and the field.
 */
export function narrow(granted: FullAuthority, claimed: Authority, tier?: string): FullAuthority
export function narrow(granted: Authority, claimed: Authority, tier?: string): Authority
export function narrow(granted: Authority, claimed: Authority, tier = 'a tier'): Authority {
  for (const field of fields) {
    const [has, wants] = [granted[field], claimed[field]]
    if (has !== undefined && wants !== undefined && !fits(field, has, wants))
      throw new AuthorityWidenedError(tier, field, has, wants)
  }
  return { ...granted, ...stated(claimed) }
}

/** Without the fields that are there but undefined: they are inherited like those that are not there. */
const stated = (authority: Authority): Authority =>
  Object.fromEntries(Object.entries(authority).filter(([, value]) => value !== undefined))

/** The authority of a tier that has no tier above it. */
export const topAuthority = (claimed: Authority): FullAuthority => ({ ...noAuthority, ...stated(claimed) })

/** One thing that a decision needs and an authority does not have. */
export interface Lack {
  readonly field: AuthorityField
  readonly needs: unknown
  readonly has: unknown
}

/** What `authority` lacks for a decision; empty when it covers it. What was spent before is the ledger's matter. */
export function lacks(authority: FullAuthority, { action, spendUsd = 0, risk, tool }: DecisionNeeds): readonly Lack[] {
  const needs: FullAuthority = {
    spendUsd,
    risk: risk ?? 'none',
    tools: tool === undefined ? [] : [tool],
    actions: [action],
  }
  return fields
    .filter((field) => !fits(field, authority[field], needs[field]))
    .map((field) => ({ field, needs: needs[field], has: authority[field] }))
}

export const covers = (authority: FullAuthority, needs: DecisionNeeds): boolean => lacks(authority, needs).length === 0

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for an authority that is none. */
export function checkAuthority(where: string, authority: Authority): void {
  // Callers may come from untyped code.
  if (typeof (authority as unknown) !== 'object')
    throw new DefinitionInvalidError(where, 'is missing: give {} for no more than the tier above grants')
  const { spendUsd, risk, tools, actions } = authority
  if (spendUsd !== undefined && !(spendUsd >= 0))
    throw new DefinitionInvalidError(`${where}.spendUsd`, `${spendUsd} is not 0 or more`)
  if (risk !== undefined && !Object.hasOwn(riskRank, risk)) {
    throw new DefinitionInvalidError(`${where}.risk`, `'${risk}' is none of ${Object.keys(riskRank).join(', ')}`)
  }
  for (const [field, list] of Object.entries({ tools, actions })) {
    const isList =
      list === undefined || list === '*' || (Array.isArray(list) && list.every((item) => typeof item === 'string'))
    if (!isList)
      throw new DefinitionInvalidError(`${where}.${field}`, `${show(list)} is neither a list of names nor '*'`)
  }
}

/** A tier as the ledger knows it: its address, and what it may spend. */
export interface Purse {
  readonly path: string
  readonly spendUsd: number
}

/**
 * What every tier has granted, by its address: a tier that is started again finds its purse as it was.
 *
 * 1. What a tier grants counts against it and every tier above it.
 * 2. No purse is ever overdrawn, however the grants of different tiers interleave: money is held before it is granted.
 *
 * Sums are kept in whole millionths of a dollar, so that ten grants of 0.1 are exactly 1.
 */
export class Ledger {
  readonly #spent = new Map<string, number>()

  /** US dollars that are left to the last of `purses`, which are given from the tier itself up to the top. */
  leftUsd(purses: readonly Purse[]): number {
    return Math.min(...purses.map(({ path, spendUsd }) => limitMicro(spendUsd) - (this.#spent.get(path) ?? 0))) / 1e6
  }

  /** US dollars that each tier has granted or holds for what is being decided, by its address. */
  *spentUsd(): Iterable<readonly [string, number]> {
    for (const [path, amount] of this.#spent) yield [path, amount / 1e6]
  }

  /** Takes `usd` out of every purse, or out of none. The result puts it back; undefined when some purse has too little left. */
  hold(purses: readonly Purse[], usd: number): (() => void) | undefined {
    const amount = amountMicro(usd)
    const enough = purses.every(({ path, spendUsd }) => (this.#spent.get(path) ?? 0) + amount <= limitMicro(spendUsd))
    if (!enough) return undefined
    this.#add(purses, amount)
    return () => {
      this.#add(purses, -amount)
    }
  }

  #add(purses: readonly Purse[], amount: number): void {
    if (amount === 0) return
    for (const { path } of purses) this.#spent.set(path, (this.#spent.get(path) ?? 0) + amount)
  }
}

/** A thousandth of a millionth: what binary fractions of a dollar may be off by. */
const rounding = 1e-3
const limitMicro = (usd: number): number => Math.floor(usd * 1e6 + rounding)
/** Rounded up: however small, an amount is never free. */
const amountMicro = (usd: number): number => (usd === 0 ? 0 : Math.max(1, Math.ceil(usd * 1e6 - rounding)))
