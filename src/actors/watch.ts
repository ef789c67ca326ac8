import { exits, type ExitReason } from '../core/exit.ts'
import type { Cell } from './cell.ts'
import type { Kernel } from './kernel.ts'
import type { AnyRef } from './ref.ts'

/** The end of an incarnation, told to each of its watchers exactly once. */
export interface Down {
  readonly ref: AnyRef
  readonly reason: ExitReason
}

/** What an actor receives for each monitor when the watched incarnation has ended. */
export interface DownSignal extends Down {
  readonly type: 'actor.down'
}

/**
 * One watch of one incarnation: Erlang's monitor. Watching twice makes two, each of which answers. Cancelling also
 * takes back an answer that is queued already.
 */
export class Monitor {
  readonly target: AnyRef
  readonly #notify: (monitor: Monitor, reason: ExitReason) => void
  #active = true

  constructor(target: AnyRef, notify: (monitor: Monitor, reason: ExitReason) => void) {
    this.target = target
    this.#notify = notify
  }

  get active(): boolean {
    return this.#active
  }

  /** Called by the watched cell, at most once. */
  fire(reason: ExitReason): void {
    if (this.#active) this.#notify(this, reason)
  }

  /** No answer from here on. Answers whether it was still to come. */
  cancel(): boolean {
    const wasActive = this.#active
    this.#active = false
    return wasActive
  }
}

/** A monitor on the incarnation `cell` behind `target`; one that has ended, or is not there, answers `noproc`. */
export function monitor(
  target: AnyRef,
  cell: Cell | undefined,
  kernel: Kernel,
  notify: (monitor: Monitor, reason: ExitReason) => void,
): Monitor {
  const made = new Monitor(target, notify)
  if (cell?.accepting === true) (cell.parts.monitors ??= new Set<Monitor>()).add(made)
  else {
    kernel.defer(() => {
      made.fire(exits.noproc)
    })
  }
  return made
}

/** Takes a cancelled monitor off the cell that it watches. */
export function forgetMonitor(cell: Cell | undefined, made: Monitor): void {
  cell?.madeParts?.monitors?.delete(made)
}
