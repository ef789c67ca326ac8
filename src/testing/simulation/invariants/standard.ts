import type { Invariant } from '../invariant.ts'
import { bounded } from './bounded.ts'
import { budgets } from './budgets.ts'
import { durableMessages } from './durable-messages.ts'
import { effects } from './effects.ts'
import { fifo } from './fifo.ts'
import { quiescence } from './quiescence.ts'
import { recovery } from './recovery.ts'
import { supervision } from './supervision.ts'
import { zombies } from './zombies.ts'

/** What Echelon promises, looked at in every world. */
export const standardInvariants = (): readonly Invariant[] => [
  fifo,
  durableMessages,
  effects,
  supervision,
  zombies,
  quiescence,
  recovery,
  bounded,
  budgets,
]
