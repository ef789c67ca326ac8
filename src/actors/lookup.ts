import { EchelonError } from '../core/errors.ts'
import type { Cell } from './cell.ts'
import type { AnyDefinition } from './definition.ts'

/** No actor of a definition is where it was looked up. */
export class ActorNotFoundError extends EchelonError {
  readonly code = 'ACTOR_NOT_FOUND'
  constructor(from: string, what: string) {
    super(
      `${from === '' ? 'The runtime' : from} finds no ${what} among its children, nor among those of any actor above it`,
    )
  }
}

/**
 * The nearest actor of a definition, as a name is looked up in nested scopes: among the children of `from`, then among
 * its siblings, then among those of the actor above, and so on up. Of several in one place it is the first, or the one
 * that is called `name`.
 * @throws {ActorNotFoundError} `ACTOR_NOT_FOUND`
 */
export function lookup(from: Cell, definition: AnyDefinition, name: string | undefined): Cell {
  for (let scope: Cell | undefined = from; scope !== undefined; scope = scope.parent) {
    const found = amongChildren(scope, definition, name)
    if (found !== undefined) return found
  }
  throw new ActorNotFoundError(
    from.path,
    name === undefined ? `'${definition.name}'` : `'${definition.name}' called '${name}'`,
  )
}

function amongChildren({ children }: Cell, definition: AnyDefinition, name: string | undefined): Cell | undefined {
  if (children === undefined) return undefined
  if (name !== undefined) {
    const named = children.get(name)
    return named?.definition === definition ? named : undefined
  }
  for (const child of children.inOrder()) if (child.definition === definition) return child
  return undefined
}
