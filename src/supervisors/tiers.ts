import type { Cell } from '../actors/cell.ts'
import type { RefOf } from '../actors/actor-context.ts'
import type { AnyDefinition } from '../actors/definition.ts'
import type { Host } from '../actors/host.ts'
import type { Protocol } from '../actors/protocol.ts'
import { DefinitionInvalidError } from '../core/errors.ts'
import type { ActorPath } from '../core/ids.ts'
import type { EscalationRequest } from '../core/services.ts'
import { checkAuthority, narrow, topAuthority, type Authority, type FullAuthority } from './authority.ts'
import { declaredChildren, toChildSpec, type ChildInput, type ChildSpec } from './child-spec.ts'
import {
  forwardable,
  forwardingSupervisor,
  type Forwardable,
  type SupervisorDefinition,
  type SupervisorOptions,
} from './supervisor.ts'

/** Strategic sets goals and budgets, tactical coordinates, operational does. */
export type TierKind = 'strategic' | 'tactical' | 'operational'

/** The tiers from the top down: each holds only lower ones. */
const ranks: Readonly<Record<TierKind, number>> = { strategic: 0, tactical: 1, operational: 2 }

/** The definition in a child input. */
type DefinitionIn<C> = C extends ChildSpec<infer D> ? D : C

/** A decision that somebody below asks for. */
export interface Matter<Actor> {
  readonly request: EscalationRequest<string>
  /** Who asks. */
  readonly from: ActorPath
  /** The tier that is asked. */
  readonly tier: ActorPath
  /** The tier's own actor: ask it when a function alone cannot decide. */
  readonly actor: Actor
  /** Aborted when the answer is not needed any more. */
  readonly signal: AbortSignal
}

/** One of the request's options, perhaps with a reason; undefined: somebody further up has to decide. */
export type Verdict = string | { readonly choice: string; readonly reason: string } | undefined

/** How a tier decides. Throwing counts as undefined, and is reported as `observer-failed`. */
export type Decide<Actor> = (matter: Matter<Actor>) => Verdict | Promise<Verdict>

export interface TierOptions<C extends ChildInput> extends Omit<SupervisorOptions, 'children'> {
  /** The tier's decision maker and its first child. Messages in its protocol that are sent to the tier reach it. */
  readonly actor?: C
  readonly authority: Authority
  /** Decides what those below ask for, as far as the tier's authority goes. Without it such questions go further up. */
  readonly decide?: Decide<RefOf<DefinitionIn<C>>>
  /** In start order, after the actor. Default: none. */
  readonly children?: readonly ChildInput[]
}

/** What a definition has that is a tier. */
export interface Tier {
  readonly kind: TierKind
  /** What it claims; `authorityOf` says what it has. */
  readonly authority: Authority
  /** Child id of its actor. */
  readonly actor: string | undefined
  readonly decide: Decide<never> | undefined
}

export type TierDefinition<P extends Protocol = {}> = SupervisorDefinition<P> & { readonly tier: Tier }
type ProtocolIn<C> = DefinitionIn<C> extends { readonly protocol: infer P extends Protocol } ? Forwardable<P> : {}

/** The top: sets goals and budgets. @throws as `tactical`. */
export const strategic = <C extends ChildInput = never>(
  name: string,
  options: TierOptions<C>,
): TierDefinition<ProtocolIn<C>> => tier('strategic', name, options)

/**
 * The middle: splits work and coordinates it.
 * @throws {AuthorityWidenedError} `AUTHORITY_WIDENED` when a tier below claims more than this one has,
 * {DefinitionInvalidError} `DEFINITION_INVALID` when tiers are nested the wrong way, and whatever `supervisor` throws.
 */
export const tactical = <C extends ChildInput = never>(
  name: string,
  options: TierOptions<C>,
): TierDefinition<ProtocolIn<C>> => tier('tactical', name, options)

/** The bottom: does the work. @throws as `tactical`. */
export const operational = <C extends ChildInput = never>(
  name: string,
  options: TierOptions<C>,
): TierDefinition<ProtocolIn<C>> => tier('operational', name, options)

function tier<C extends ChildInput>(
  kind: TierKind,
  name: string,
  options: TierOptions<C>,
): TierDefinition<ProtocolIn<C>> {
  const { actor: given, authority, decide, children = [], ...terms } = options
  checkAuthority(`${name}.authority`, authority)
  if (decide !== undefined && typeof decide !== 'function')
    throw new DefinitionInvalidError(`${name}.decide`, 'is no function')
  const actor = given === undefined ? undefined : toChildSpec(given)
  // The protocol of the actor that was given, which the type takes from its definition.
  const protocol = (actor === undefined ? {} : forwardable(actor.definition.protocol)) as ProtocolIn<C>
  const definition = forwardingSupervisor(
    name,
    { ...terms, children: actor === undefined ? children : [actor, ...children] },
    { protocol, pick: (records) => (actor === undefined ? undefined : records.get(actor.id)?.cell) },
  )
  const made: TierDefinition<ProtocolIn<C>> = {
    ...definition,
    host: hostOf(definition.host),
    tier: { kind, authority, actor: actor?.id, decide },
  }
  declaredChildren.set(made, declaredChildren.get(definition) ?? [])
  checkBelow(name, made.tier, kind === 'strategic' ? topAuthority(authority) : authority, made)
  return made
}

/** The tier that a definition is, if it is one. */
export const tierOf = (definition: AnyDefinition): Tier | undefined =>
  // Only `tier` makes definitions with this property.
  'tier' in definition ? (definition as TierDefinition).tier : undefined

/** Checks every tier below, through supervisors and pools, against the one that holds it. */
function checkBelow(path: string, above: Tier, authority: Authority, definition: AnyDefinition): void {
  for (const spec of declaredChildren.get(definition) ?? []) {
    const place = `${path}/${spec.id}`
    const below = tierOf(spec.definition)
    if (below === undefined) {
      checkBelow(place, above, authority, spec.definition)
    } else {
      checkOrder(place, above.kind, below.kind)
      checkBelow(place, below, narrow(authority, below.authority, place), spec.definition)
    }
  }
}

function checkOrder(place: string, above: TierKind, below: TierKind): void {
  if (ranks[below] > ranks[above]) return
  const allowed = (Object.keys(ranks) as TierKind[]).filter((kind) => ranks[kind] > ranks[above])
  const hint = allowed.length === 0 ? 'plain supervisors, pools and actors' : `${allowed.join(' and ')} tiers`
  throw new DefinitionInvalidError(
    place,
    `a ${below} tier cannot be inside ${above === 'operational' ? 'an' : 'a'} ${above} one, which may hold ${hint}`,
  )
}

/** As any supervisor's, but it does not start where its authority or its kind does not fit: tiers can be added at run time. */
const hostOf = (host: Host): Host => ({
  ...host,
  start(cell, previous) {
    const below = tierOf(cell.definition)
    const above = enclosingTier(cell)
    const aboveTier = above && tierOf(above.definition)
    if (aboveTier !== undefined && below !== undefined) checkOrder(cell.path, aboveTier.kind, below.kind)
    authorityOf(cell)
    host.start(cell, previous)
  },
})

/** The cell of the nearest tier above. */
export function enclosingTier({ parent }: Cell): Cell | undefined {
  let cell = parent
  while (cell !== undefined && tierOf(cell.definition) === undefined) cell = cell.parent
  return cell
}

/** What the tier in `cell` may decide: its claim, and what it inherits. @throws {AuthorityWidenedError} `AUTHORITY_WIDENED` */
export function authorityOf(cell: Cell): FullAuthority {
  const claimed = tierOf(cell.definition)?.authority ?? {}
  const above = enclosingTier(cell)
  return above === undefined ? topAuthority(claimed) : narrow(authorityOf(above), claimed, cell.path)
}
