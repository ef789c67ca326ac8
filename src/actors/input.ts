import { DefinitionInvalidError } from '../core/errors.ts'
import type { AnyDefinition } from './definition.ts'
import { describeIssues } from './protocol.ts'

/** The input as the logic receives it. @throws {DefinitionInvalidError} `DEFINITION_INVALID` when its schema refuses it. */
export function parseInput(definition: AnyDefinition, given: unknown): unknown {
  if (definition.inputSchema === undefined) return given
  const parsed = definition.inputSchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new DefinitionInvalidError(`input of ${definition.name}`, describeIssues(parsed.error).join('; '))
}
