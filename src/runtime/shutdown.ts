import type { Cell } from '../actors/cell.ts'
import { exits, type ExitReason } from '../core/exit.ts'
import type { NodeKernel } from './node-kernel.ts'

export type ShutdownPhase = 'stop-accepting' | 'refuse-asks' | 'drain' | 'stop-tree' | 'close'

export interface ShutdownOptions {
  readonly deadlineMs?: number
  readonly reason?: ExitReason
}

export interface ShutdownReport {
  readonly reason: ExitReason
}

export class Shutdown {
  readonly #kernel: NodeKernel
  readonly #root: Cell
  readonly #defaultMs: number
  isClosing = false

  constructor(kernel: NodeKernel, root: Cell, defaultMs = 10_000) {
    this.#kernel = kernel
    this.#root = root
    this.#defaultMs = defaultMs
  }

  on(_phase: ShutdownPhase, _name: string, _task: (signal: AbortSignal) => void | Promise<void>): () => void {
    return () => undefined
  }

  async run({ deadlineMs = this.#defaultMs, reason = exits.shutdown() }: ShutdownOptions = {}): Promise<ShutdownReport> {
    this.isClosing = true
    this.#kernel.refusesAsks = true
    this.#root.requestStop(reason, deadlineMs)
    return { reason: await this.#root.ended }
  }
}
