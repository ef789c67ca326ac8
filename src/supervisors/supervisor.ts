import type { Cell } from '../actors/cell.ts'
import { deadLetter } from '../actors/cell-events.ts'
import type { MessageContext } from '../actors/context.ts'
import type { ActorDefinition } from '../actors/definition.ts'
import { handOn } from '../actors/delivery.ts'
import type { Protocol } from '../actors/protocol.ts'
import { DefinitionInvalidError, MailboxFullError, StartFailedError, TargetDownError } from '../core/errors.ts'
import type { DeadLetterReason } from '../core/events.ts'
import { exits } from '../core/exit.ts'
import { supervisorProtocol, type ChildCounts, type ChildInfo } from './admin.ts'
import { ChildRecord, type ChildBook } from './child-book.ts'
import {
  checkInput,
  checkSignificance,
  childList,
  declaredChildren,
  toChildSpec,
  type ChildInput,
  type ChildSpec,
} from './child-spec.ts'
import { checkIntensity, defaultIntensity, type Intensity } from './restart-intensity.ts'
import { autoShutdowns, sharesFate, strategies, type AutoShutdown, type Strategy } from './strategy.ts'
import { defineSupervisor } from './supervisor-host.ts'
import type { SupervisorSnapshot } from './supervisor-snapshot.ts'
import { Supervision, type Procedure } from './supervision.ts'

export interface SupervisorOptions {
  /** Default `one_for_one`. */
  readonly strategy?: Strategy
  /** Restarts that are bearable; more, and the supervisor gives up. Default: 1 in 5,000 ms, as in OTP. */
  readonly intensity?: Intensity
  /** Default `never`. */
  readonly autoShutdown?: AutoShutdown
  /** In start order. */
  readonly children: readonly ChildInput[]
}

/** Messages beside the administrative ones: who of the children gets them. */
export interface Forwarding<P extends Protocol> {
  readonly protocol: P
  /** `wait`: nobody can take it now, but somebody will, after the next change among the children. Undefined: nobody ever. */
  readonly pick: (children: ReadonlyMap<string, ChildRecord>) => Cell | 'wait' | undefined
}

type Administrative = keyof typeof supervisorProtocol
/** What a supervisor can forward of a protocol: all but what it understands itself. */
export type Forwardable<P extends Protocol> = [Extract<keyof P, Administrative>] extends [never]
  ? P
  : Omit<P, Administrative>

export const forwardable = <P extends Protocol>(protocol: P): Forwardable<P> =>
  // Exactly the entries that the type names.
  Object.fromEntries(
    Object.entries(protocol).filter(([type]) => !Object.hasOwn(supervisorProtocol, type)),
  ) as Forwardable<P>

export type SupervisorDefinition<P extends Protocol = {}> = ActorDefinition<
  typeof supervisorProtocol & P,
  undefined,
  SupervisorSnapshot
>

/**
 * Erlang/OTP's supervisor, literally.
 * @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID`, {DefinitionInvalidError} `DEFINITION_INVALID`.
 * @see https://github.com/erlang/otp/blob/master/lib/stdlib/src/supervisor.erl
 */
export const supervisor = (name: string, options: SupervisorOptions): SupervisorDefinition =>
  forwardingSupervisor(name, options, undefined)

/** A supervisor that also passes messages on to its children: what tiers and pools are made of. */
export function forwardingSupervisor<P extends Protocol = {}>(
  name: string,
  { strategy = 'one_for_one', intensity = defaultIntensity, autoShutdown = 'never', children }: SupervisorOptions,
  forwarding: Forwarding<P> | undefined,
): SupervisorDefinition<P> {
  checkIntensity(name, intensity)
  if (!strategies.includes(strategy))
    throw new DefinitionInvalidError(`${name}.strategy`, `'${strategy}' is none of ${strategies.join(', ')}`)
  if (!autoShutdowns.includes(autoShutdown)) {
    throw new DefinitionInvalidError(`${name}.autoShutdown`, `'${autoShutdown}' is none of ${autoShutdowns.join(', ')}`)
  }
  const specs = childList(name, children, autoShutdown)
  const protocol = { ...supervisorProtocol, ...forwarding?.protocol }
  const definition = defineSupervisor({
    name,
    // Spread of the same two protocols whose intersection the type is.
    protocol: protocol as typeof supervisorProtocol & P,
    stopsInParallel: false,
    open: (cell) => new Supervision(cell, intensity, new OrderedChildren(strategy, autoShutdown)),
    begin: (supervision) => begin(supervision, specs),
    handle: (supervision, context) => {
      handle(supervision, context, forwarding)
    },
  })
  declaredChildren.set(definition, specs)
  return definition
}

/** The child list of a static supervisor: ordered, each with its own spec. */
export class OrderedChildren implements ChildBook {
  readonly records = new Map<string, ChildRecord>()
  readonly autoShutdown: AutoShutdown
  readonly strategy: Strategy

  constructor(strategy: Strategy, autoShutdown: AutoShutdown) {
    this.strategy = strategy
    this.autoShutdown = autoShutdown
  }

  list(): Iterable<ChildRecord> {
    return this.records.values()
  }

  recordOf(child: Cell): ChildRecord | undefined {
    const record = this.records.get(child.name)
    return record?.cell === child ? record : undefined
  }

  *carryOut(supervision: Supervision, failed: ChildRecord): Procedure {
    if (this.strategy === 'one_for_one') {
      yield* supervision.startAgain(failed)
      return
    }
    const group = sharesFate[this.strategy]([...this.records.values()], failed)
    for (const record of group.toReversed()) {
      if (record !== failed) yield* this.#setAside(supervision, record)
    }
    failed.state = 'stopped'
    for (const record of group) {
      if (this.records.get(record.name) !== record) continue // a temporary one, which is forgotten
      const isFirst = record.cell === undefined
      const outcome = yield* supervision.startAgain(record)
      if (outcome.kind === 'failed') return // it goes on from there
      if (isFirst) this.moveBehind(record)
    }
  }

  /** A sibling that shares the fate of a failed child: a temporary one is not started again, so it is forgotten. */
  *#setAside(supervision: Supervision, record: ChildRecord): Procedure {
    const isTemporary = record.spec.restart === 'temporary'
    yield* supervision.stop(record, !isTemporary)
    if (isTemporary) this.forget(supervision, record)
  }

  /** A child that had never run does: in the order in which children stop it goes before those behind it in the list. */
  moveBehind(placed: ChildRecord): void {
    let isBehind = false
    for (const { name, cell } of this.records.values()) {
      if (isBehind) cell?.parent?.children?.moveBehind(name)
      if (name === placed.name) isBehind = true
    }
  }

  drop(record: ChildRecord): void {
    record.state = 'stopped'
    record.cell?.discard()
    if (record.spec.restart !== 'temporary') return
    this.records.delete(record.name)
    if (record.cell !== undefined) record.cell.parent?.forgetChild(record.cell)
  }

  /** Every child has its record here for as long as it has a spec. */
  remember(record: ChildRecord): void {
    this.records.set(record.name, record)
  }

  forget(supervision: Supervision, record: ChildRecord): void {
    this.records.delete(record.name)
    if (record.cell !== undefined) supervision.cell.forgetChild(record.cell)
  }

  endsWith({ spec }: ChildRecord): boolean {
    if (this.autoShutdown === 'never' || !spec.significant) return false
    if (this.autoShutdown === 'any_significant') return true
    return ![...this.records.values()].some((record) => record.spec.significant && record.state !== 'stopped')
  }

  counts(): ChildCounts {
    const records = [...this.records.values()]
    const supervisors = records.filter(({ spec }) => spec.definition.type === 'supervisor').length
    const active = records.filter(({ state }) => state === 'running').length
    return { specs: records.length, active, supervisors, workers: records.length - supervisors }
  }
}

const childrenOf = ({ children }: Supervision): OrderedChildren => {
  if (children instanceof OrderedChildren) return children
  throw new TypeError('a static supervisor has ordered children')
}

function* begin(supervision: Supervision, specs: readonly ChildSpec[]): Procedure {
  const children = childrenOf(supervision)
  for (const spec of specs) {
    const record = new ChildRecord(spec, spec.id, spec.input)
    children.records.set(spec.id, record)
    // Nothing can wait yet: a child that fails while it cleans up is waited for with the others, by the end of this cell.
    const outcome = yield* supervision.start(record)
    if (outcome.kind === 'failed') {
      supervision.cell.failStart(new StartFailedError(`${supervision.path}/${spec.id}`, outcome.error))
      return
    }
    if (outcome.kind === 'ignored' && spec.restart === 'temporary') children.forget(supervision, record)
  }
}

function handle(supervision: Supervision, context: MessageContext, forwarding: Forwarding<Protocol> | undefined): void {
  const children = childrenOf(supervision)
  const { message } = context
  // The protocol's schema has checked the message: `id` and `spec` are what it says they are.
  const { id = '', spec } = message as { id?: string; spec?: ChildInput }
  const record = children.records.get(id)
  switch (message.type) {
    case 'supervisor.startChild':
      supervision.run(startChild(supervision, context, spec))
      return
    case 'supervisor.terminateChild':
      if (record === undefined) supervision.refuse(context, 'CHILD_NOT_FOUND', id)
      else supervision.run(supervision.terminate(record, context))
      return
    case 'supervisor.restartChild':
      if (record === undefined) supervision.refuse(context, 'CHILD_NOT_FOUND', id)
      else if (record.state !== 'stopped') supervision.refuse(context, whyNot(record), id)
      else supervision.run(restartChild(supervision, context, record))
      return
    case 'supervisor.deleteChild':
      if (record === undefined) supervision.refuse(context, 'CHILD_NOT_FOUND', id)
      else if (record.state !== 'stopped') supervision.refuse(context, whyNot(record), id)
      else {
        children.forget(supervision, record)
        context.reply(undefined)
      }
      return
    case 'supervisor.whichChildren':
      context.reply(supervision.info())
      return
    case 'supervisor.countChildren':
      context.reply(children.counts())
      return
    default:
      if (forwarding !== undefined) forward(supervision, context, forwarding.pick(children.records))
  }
}

/** Passes a message on, sets it aside within the bound of the stash, or says that nobody takes it. */
function forward({ cell }: Supervision, context: MessageContext, target: Cell | 'wait' | undefined): void {
  if (target === 'wait') {
    setAside(cell, context)
  } else if (target === undefined) {
    refuse(cell, context, 'stopped', new TargetDownError(cell.path, context.message.type, exits.noproc))
  } else {
    handOn(context, target)
  }
}

function setAside(cell: Cell, context: MessageContext): void {
  try {
    cell.setAside(context, 'stash')
  } catch {
    // The stash is full: one message too many must not take the children down.
    refuse(
      cell,
      context,
      'mailbox-full',
      new MailboxFullError(cell.path, cell.definition.mailbox.stashCapacity, context.message),
    )
  }
}

function refuse(cell: Cell, context: MessageContext, reason: DeadLetterReason, error: Error): void {
  context.refuse(error)
  deadLetter(cell, context.message, reason, error)
}

const whyNot = (record: ChildRecord): 'CHILD_RUNNING' | 'CHILD_RESTARTING' =>
  record.state === 'running' ? 'CHILD_RUNNING' : 'CHILD_RESTARTING'

function* startChild(supervision: Supervision, context: MessageContext, given: ChildInput | undefined): Procedure {
  const children = childrenOf(supervision)
  let spec: ChildSpec
  try {
    // An absent spec is refused like any other that is none.
    spec = toChildSpec(given as ChildInput)
    checkSignificance(spec, children.autoShutdown)
    checkInput(spec)
  } catch (error) {
    context.refuse(error as Error)
    return
  }
  const existing = children.records.get(spec.id)
  if (existing !== undefined) {
    supervision.refuse(
      context,
      existing.state === 'running' ? 'CHILD_ALREADY_STARTED' : 'CHILD_ALREADY_PRESENT',
      spec.id,
    )
    return
  }
  const record = new ChildRecord(spec, spec.id, spec.input)
  const outcome = yield* supervision.start(record)
  if (outcome.kind === 'failed') {
    supervision.refuse(context, 'CHILD_START_FAILED', spec.id, outcome.error)
    return
  }
  if (outcome.kind === 'running' || spec.restart !== 'temporary') children.records.set(spec.id, record)
  context.reply(supervision.describe(record))
}

function* restartChild(supervision: Supervision, context: MessageContext, record: ChildRecord): Procedure {
  const isFirst = record.cell === undefined
  const outcome = yield* supervision.start(record)
  if (isFirst) childrenOf(supervision).moveBehind(record)
  if (outcome.kind === 'failed') supervision.refuse(context, 'CHILD_START_FAILED', record.name, outcome.error)
  else context.reply(supervision.describe(record) satisfies ChildInfo)
}
