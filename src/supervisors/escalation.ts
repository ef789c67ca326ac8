import type { Cell } from '../actors/cell.ts'
import type { Kernel } from '../actors/kernel.ts'
import type { EscalationOutcome, EscalationRequest } from '../core/services.ts'

/** Decisions that go up the tiers, and to a person past the top. */
export class Escalations {
  readonly #kernel: Pick<Kernel, 'clock'>

  constructor(kernel: Pick<Kernel, 'clock'>) {
    this.#kernel = kernel
  }

  decide(from: Cell, request: EscalationRequest<string>): Promise<EscalationOutcome<string>> {
    return Promise.resolve({ choice: request.defaultChoice, by: 'default', reason: `${from.path} at ${this.#kernel.clock.now()}` })
  }
}
