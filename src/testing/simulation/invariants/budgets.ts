import { authorityOf } from '../../../supervisors/tiers.ts'
import type { Invariant } from '../invariant.ts'
import { cellAt, kernelOf } from './cells.ts'

/** Binary fractions of a dollar may be off by so much. */
const roundingUsd = 1e-6

/** I14: what a tier has granted, and holds for what is being decided, is within the budget of its authority. */
export const budgets: Invariant = {
  kind: 'invariant',
  name: 'I14 no tier spends more than its budget',
  begin: (world) => ({
    step: () => {
      for (const node of world.nodes)
        for (const [path, usd] of kernelOf(node)?.escalations.spentUsd() ?? []) {
          const tier = cellAt(node, path)
          if (tier === undefined) continue
          const { spendUsd } = authorityOf(tier)
          if (usd > spendUsd + roundingUsd) return `${path} has spent ${usd} US dollars of ${spendUsd}`
        }
      return undefined
    },
  }),
}
