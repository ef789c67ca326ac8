import type { Cell } from '../actors/cell.ts'
import type { MessageContext } from '../actors/context.ts'
import type { ActorDefinition } from '../actors/definition.ts'
import type { LocalRef } from '../actors/ref.ts'
import { checkName } from '../actors/starting.ts'
import { DefinitionInvalidError } from '../core/errors.ts'
import { isCleanExit } from '../core/exit.ts'
import { isSegment } from '../core/ids.ts'
import { dynamicSupervisorProtocol, SupervisorError, type ChildCounts } from './admin.ts'
import { ChildRecord, type ChildBook } from './child-book.ts'
import {
  checkSignificance,
  ChildSpecInvalidError,
  declaredChildren,
  toChildSpec,
  type ChildInput,
  type ChildSpec,
} from './child-spec.ts'
import { checkIntensity, defaultIntensity, type Intensity } from './restart-intensity.ts'
import { autoShutdowns, type AutoShutdown } from './strategy.ts'
import { defineSupervisor } from './supervisor-host.ts'
import type { SupervisorSnapshot } from './supervisor-snapshot.ts'
import { Supervision, type Procedure } from './supervision.ts'

export interface DynamicSupervisorOptions {
  /** What every child is, but for its input and its name. */
  readonly child: ChildInput
  /** Default: 1 restart in 5,000 ms, for all children together. */
  readonly intensity?: Intensity
  /** Default: no bound. */
  readonly maxChildren?: number
  /** Default `never`. */
  readonly autoShutdown?: AutoShutdown
}

export type DynamicSupervisorDefinition = ActorDefinition<
  typeof dynamicSupervisorProtocol,
  undefined,
  SupervisorSnapshot
>

/**
 * Many children of one spec, started on demand and stopped all at once: OTP's simple_one_for_one, Elixir's
 * DynamicSupervisor. Restarts are one_for_one. A child that ends for good is forgotten.
 * @throws {ChildSpecInvalidError} `CHILD_SPEC_INVALID`, {DefinitionInvalidError} `DEFINITION_INVALID`.
 */
export function dynamicSupervisor(name: string, options: DynamicSupervisorOptions): DynamicSupervisorDefinition {
  const { intensity = defaultIntensity, maxChildren = Infinity, autoShutdown = 'never' } = options
  checkIntensity(name, intensity)
  if (maxChildren !== Infinity && (!Number.isSafeInteger(maxChildren) || maxChildren < 1)) {
    throw new DefinitionInvalidError(`${name}.maxChildren`, `${maxChildren} is not a positive integer`)
  }
  if (!autoShutdowns.includes(autoShutdown)) {
    throw new DefinitionInvalidError(`${name}.autoShutdown`, `'${autoShutdown}' is none of ${autoShutdowns.join(', ')}`)
  }
  const template = toChildSpec(options.child)
  checkSignificance(template, autoShutdown)
  const definition = defineSupervisor({
    name,
    protocol: dynamicSupervisorProtocol,
    stopsInParallel: true,
    open: (cell) => new Supervision(cell, intensity, new DynamicChildren(cell, autoShutdown, maxChildren)),
    begin: nothingToStart,
    handle: (supervision, context) => {
      handle(supervision, context, template)
    },
  })
  declaredChildren.set(definition, [template])
  return definition
}

/** A dynamic supervisor has no children at first. */

export function* nothingToStart(): Procedure {
  return
}

/** Spec and child of a cell under a dynamic supervisor. */
// Cells under a supervisor are started with their spec as their rules.
const specOf = (child: Cell): ChildSpec => child.rules as ChildSpec

/**
 * The children of a dynamic supervisor. The cells themselves are the list; a record is made for the few that failed, so
 * that a million idle children cost no record.
 */
export class DynamicChildren implements ChildBook {
  readonly #cell: Cell
  readonly #autoShutdown: AutoShutdown
  readonly #maxChildren: number
  readonly #failed = new Map<LocalRef, ChildRecord>()

  constructor(cell: Cell, autoShutdown: AutoShutdown, maxChildren: number) {
    this.#cell = cell
    this.#autoShutdown = autoShutdown
    this.#maxChildren = maxChildren
  }

  get size(): number {
    return this.#cell.children?.size ?? 0
  }

  get isFull(): boolean {
    return this.size >= this.#maxChildren
  }

  *list(): Iterable<ChildRecord> {
    for (const child of this.#cell.children?.inOrder() ?? [])
      yield this.#failed.get(child.ref) ?? this.#newRecord(child)
  }

  find(name: string): ChildRecord | undefined {
    const child = this.#cell.children?.get(name)
    return child && (this.#failed.get(child.ref) ?? this.#newRecord(child))
  }

  recordOf(child: Cell): ChildRecord | undefined {
    const known = this.#failed.get(child.ref)
    if (known !== undefined) return known.cell === child ? known : undefined
    return this.#cell.children?.holds(child) === true ? this.#newRecord(child) : undefined
  }

  *carryOut(supervision: Supervision, record: ChildRecord): Procedure {
    const outcome = yield* supervision.startAgain(record)
    if (outcome.kind === 'ignored') this.drop(record)
  }

  drop(record: ChildRecord): void {
    record.state = 'stopped'
    if (record.cell === undefined) return
    record.cell.discard()
    this.#failed.delete(record.cell.ref)
    this.#cell.forgetChild(record.cell)
  }

  dropsAtOnce = (child: Cell): boolean => {
    const { exit, ref } = child
    const isSettled = exit !== undefined && isCleanExit(exit) && specOf(child).restart !== 'permanent'
    if (!isSettled || this.#autoShutdown !== 'never' || this.#failed.has(ref)) return false
    if (this.#cell.children?.holds(child) !== true) return false
    this.#cell.forgetChild(child)
    child.discard()
    return true
  }

  /** From its first failure on, a child has a record that counts its failures. */
  remember(record: ChildRecord): void {
    if (record.cell !== undefined) this.#failed.set(record.cell.ref, record)
  }

  endsWith({ spec }: ChildRecord): boolean {
    if (this.#autoShutdown === 'never' || !spec.significant) return false
    return this.#autoShutdown === 'any_significant' || this.size === 0
  }

  counts(): ChildCounts {
    const children = [...this.list()]
    const supervisors = children.filter(({ spec }) => spec.definition.type === 'supervisor').length
    const active = children.filter(({ state }) => state === 'running').length
    return { specs: 1, active, supervisors, workers: children.length - supervisors }
  }

  #newRecord(child: Cell): ChildRecord {
    const record = new ChildRecord(specOf(child), child.givenName, child.input)
    record.cell = child
    record.state = 'running'
    return record
  }
}

const childrenOf = ({ children }: Supervision): DynamicChildren => {
  if (children instanceof DynamicChildren) return children
  throw new TypeError('a dynamic supervisor has dynamic children')
}

/**
 * Starts a child of `spec` now, on the caller's stack. Undefined when its start says `ignore`.
 * @throws {SupervisorError} `MAX_CHILDREN`, {StartFailedError} `START_FAILED`, {NameTakenError} `NAME_TAKEN`.
 */
export function spawnChild(
  supervision: Supervision,
  spec: ChildSpec,
  name: string | undefined,
  input: unknown,
): Cell | undefined {
  const { cell } = supervision
  if (childrenOf(supervision).isFull) throw new SupervisorError('MAX_CHILDREN', cell.path, name ?? spec.id)
  checkName(cell, name)
  return cell.startChild(name, spec.definition, input, spec)
}

function handle(supervision: Supervision, context: MessageContext, template: ChildSpec): void {
  const children = childrenOf(supervision)
  const { message } = context
  // The protocol's schema has checked the message.
  const { id, input } = message as { id?: string; input?: unknown }
  switch (message.type) {
    case 'supervisor.startChild':
      supervision.run(startChild(supervision, context, template, id, input))
      return
    case 'supervisor.terminateChild': {
      const record = children.find(id ?? '')
      if (record === undefined) supervision.refuse(context, 'CHILD_NOT_FOUND', id ?? '')
      else supervision.run(supervision.terminate(record, context))
      return
    }
    case 'supervisor.whichChildren':
      context.reply(supervision.info())
      return
    case 'supervisor.countChildren':
      context.reply(children.counts())
      return
    default:
      supervision.refuse(context, 'DYNAMIC_SUPERVISOR', id ?? '')
  }
}

function* startChild(
  supervision: Supervision,
  context: MessageContext,
  template: ChildSpec,
  id: string | undefined,
  input: unknown,
): Procedure {
  const children = childrenOf(supervision)
  if (children.isFull) {
    supervision.refuse(context, 'MAX_CHILDREN', id ?? template.id)
    return
  }
  if (id !== undefined && children.find(id) !== undefined) {
    supervision.refuse(context, 'CHILD_ALREADY_STARTED', id)
    return
  }
  if (id !== undefined && !isSegment(id)) {
    context.refuse(new ChildSpecInvalidError(id, 'an id is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -'))
    return
  }
  const record = new ChildRecord(template, id, input ?? template.input)
  const outcome = yield* supervision.start(record)
  if (outcome.kind === 'failed') supervision.refuse(context, 'CHILD_START_FAILED', record.name, outcome.error)
  else context.reply(supervision.describe(record))
}
