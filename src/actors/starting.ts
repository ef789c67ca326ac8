import { DefinitionInvalidError, NameTakenError, StartFailedError } from '../core/errors.ts'
import { eventChannels } from '../core/events.ts'
import { exits } from '../core/exit.ts'
import { isSegment } from '../core/ids.ts'
import type { Cell } from './cell.ts'
import { supervisorRules, workerRules } from './child-rules.ts'
import type { AnyDefinition, SpawnOptions } from './definition.ts'
import { abort } from './ending.ts'
import { limitWallTime } from './limits.ts'
import type { AnyRef } from './ref.ts'
import { replace } from './succession.ts'

/** Whether it is a definition: callers may come from untyped code. */
export const isDefinition = (given: unknown): given is AnyDefinition =>
  typeof given === 'object' && given !== null && 'kind' in given && given.kind === 'actor'

/** Whether a child of `cell` can have this name. @throws {NameTakenError} `NAME_TAKEN`, {DefinitionInvalidError} `DEFINITION_INVALID`. */
export function checkName(cell: Cell, asked: string | undefined): void {
  if (asked === undefined) return
  if (!isSegment(asked)) {
    throw new DefinitionInvalidError(`${cell.path}/${asked}`, 'a name is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
  }
  if (cell.children?.get(asked) !== undefined) throw new NameTakenError(asked, cell.path)
}

/** Starts a child on behalf of an actor that is no supervisor. Throws as `ActorContext.spawn` says. */
export function spawn(
  cell: Cell,
  definition: AnyDefinition,
  { name, input }: SpawnOptions<AnyDefinition> = {},
): AnyRef {
  if (!isDefinition(definition))
    throw new DefinitionInvalidError(`spawn by ${cell.path}`, 'is given no definition: make one with defineActor')
  checkName(cell, name)
  const rules = definition.type === 'supervisor' ? supervisorRules : workerRules
  const child = cell.startChild(name, definition, input, rules)
  // A supervisor whose children failed to start is still cleaning up.
  if (child?.status === 'running') return child.ref
  const cause = child?.exit?.kind === 'crash' ? child.exit.error : new Error('its start function said ignore')
  throw new StartFailedError(child?.path ?? `${cell.path}/${name ?? definition.name}`, cause)
}

/**
 * Starts a cell that was just made, or says that its start function has nothing to do.
 * @throws {StartFailedError} `START_FAILED`
 */
export function launch(cell: Cell, previous: Cell | undefined): 'started' | 'ignored' {
  try {
    // The parsed input is what the start function's type says.
    if (cell.definition.start?.({ input: cell.input as never }) === 'ignore') return 'ignored'
    start(cell, previous)
    return 'started'
  } catch (error) {
    cell.status = 'stopped'
    cell.exit = exits.crash(error)
    throw error instanceof StartFailedError ? error : new StartFailedError(cell.path, error)
  }
}

/** Runs the first step, takes over from `previous`, and is a child of its parent from then on. Throws what the logic throws. */
export function start(cell: Cell, previous: Cell | undefined): void {
  const { definition, parent } = cell
  if (eventChannels.spawned.hasSubscribers) {
    eventChannels.spawned.publish({
      type: 'spawned',
      ...cell.origin,
      definition: definition.name,
      parent: parent?.path,
    })
  }
  definition.host.start(cell, previous)
  if (previous !== undefined) replace(cell, previous)
  if (parent !== undefined) parent.childBook.set(cell)
  // A supervisor whose children failed to start is ending by now.
  if (cell.status === 'starting') cell.status = 'running'
  // A durable actor is told once it has been brought back.
  if (definition.handlesSignal('actor.started') && definition.type === 'worker' && cell.record === undefined) {
    cell.lane.forceFirst({ type: 'actor.started' })
  }
  if (cell.rules.budget?.wallMs !== undefined) limitWallTime(cell, cell.rules.budget.wallMs)
  if (cell.hasWork) cell.wake()
  if (eventChannels.started.hasSubscribers) {
    eventChannels.started.publish({ type: 'started', ...cell.origin, definition: definition.name })
  }
  if (parent?.aborted === true) abort(cell, parent.exit ?? exits.shutdown())
}
