import type { Invariant } from '../invariant.ts'
import { durableMessages } from './durable-messages.ts'

/** What Echelon promises, looked at in every world. */
export const standardInvariants = (): readonly Invariant[] => [durableMessages]
