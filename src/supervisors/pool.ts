import type { Cell } from '../actors/cell.ts'
import type { AnyDefinition } from '../actors/definition.ts'
import type { Protocol } from '../actors/protocol.ts'
import { DefinitionInvalidError } from '../core/errors.ts'
import { child, type ChildOptions } from './child-spec.ts'
import type { Intensity } from './restart-intensity.ts'
import type { ChildRecord } from './child-book.ts'
import { forwardable, forwardingSupervisor, type Forwardable, type SupervisorDefinition } from './supervisor.ts'

export interface PoolOptions<D> extends Omit<ChildOptions<D>, 'id' | 'intensity' | 'significant'> {
  /** Number of workers, 1 or more. */
  readonly size: number
  /** Restarts that are bearable in the whole pool. Default: OTP's for each worker, so `size` in 5,000 ms. */
  readonly intensity?: Intensity
}

export type PoolDefinition<D extends { readonly protocol: Protocol }> = SupervisorDefinition<Forwardable<D['protocol']>>

/**
 * Workers of one kind behind one address, `NAME/NAME-1` to `NAME/NAME-N`: a supervisor that hands each message to the
 * running worker with the fewest to do, in turn when several have as few. The options are those of `child`, for each.
 *
 * While every worker is down and one will come back, messages wait within the bound of the stash (1,024; one more is a
 * dead letter, and a question is refused with `MAILBOX_FULL`). When none will come back they are dead letters at once.
 * What a worker had queued when it crashed is lost with it, as anywhere, unless `keepMailbox` is set.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID`, {ChildSpecInvalidError} `CHILD_SPEC_INVALID`.
 */
export function pool<D extends AnyDefinition>(name: string, definition: D, options: PoolOptions<D>): PoolDefinition<D> {
  const { size, intensity = { restarts: size, withinMs: 5000 }, ...terms } = options
  if (!Number.isSafeInteger(size) || size < 1)
    throw new DefinitionInvalidError(`${name}.size`, `${size} is not a positive integer`)
  const children = Array.from({ length: size }, (_, index) =>
    child(definition, { ...(terms as ChildOptions<D>), id: `${name}-${index + 1}` }),
  )
  return forwardingSupervisor(
    name,
    { children, intensity },
    {
      // What `forwardable` leaves of the definition's own protocol.
      protocol: forwardable(definition.protocol) as Forwardable<D['protocol']>,
      pick: (records) => leastLoaded(records, definition),
    },
  )
}

/** Where the next round begins, for each running pool: by its child list. */
const turns = new WeakMap<object, number>()

/** The running worker with the fewest messages; of several, the first from where the last round ended. */
function leastLoaded(children: ReadonlyMap<string, ChildRecord>, definition: AnyDefinition): Cell | 'wait' | undefined {
  const turn = turns.get(children) ?? 0
  let best:
    { readonly cell: Cell; readonly load: number; readonly distance: number; readonly index: number } | undefined
  let comesBack = false
  let index = -1
  for (const { spec, state, cell } of children.values()) {
    index += 1
    if (spec.definition !== definition) continue // somebody added a child that is no worker
    if (cell?.status !== 'running') {
      // A worker whose end the supervisor has not taken up yet is still noted as running.
      comesBack ||= state !== 'stopped'
      continue
    }
    const { load } = cell
    const distance = index >= turn ? index - turn : index - turn + children.size
    if (best === undefined || load < best.load || (load === best.load && distance < best.distance))
      best = { cell, load, distance, index }
  }
  if (best === undefined) return comesBack ? 'wait' : undefined
  turns.set(children, best.index + 1)
  return best.cell
}
