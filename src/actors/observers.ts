import type { Cell } from './cell.ts'
import type { SnapshotObserver } from './ref.ts'

/** Who looks at the snapshots of one cell, over restarts that keep its mailbox. What they throw is reported, and they stay. */
export class Observers {
  readonly #all = new Set<SnapshotObserver>()

  /** The result takes it off. */
  add(observer: SnapshotObserver): () => void {
    this.#all.add(observer)
    return () => {
      this.#all.delete(observer)
    }
  }

  /** `cell` has a new snapshot. */
  next(cell: Cell): void {
    const { snapshot } = cell
    for (const observer of this.#all) {
      try {
        observer.next?.(snapshot)
      } catch (error) {
        cell.kernel.observerFailed(`snapshot of ${cell.path}`, error)
      }
    }
  }

  /** `cell` has ended, and no restart will follow. */
  end(cell: Cell): void {
    for (const observer of this.#all) tellEnd(cell, observer)
  }
}

/** Calls `observer` at each change of the snapshot, and when it ends. The result takes it off. */
export function observe(cell: Cell, observer: SnapshotObserver): () => void {
  if (cell.accepting) return (cell.parts.observers ??= new Observers()).add(observer)
  tellEnd(cell, observer)
  return () => undefined
}

function tellEnd(cell: Cell, observer: SnapshotObserver): void {
  try {
    if (cell.exit?.kind === 'crash') observer.error?.(cell.exit.error)
    else observer.complete?.()
  } catch (error) {
    cell.kernel.observerFailed(`end of ${cell.path}`, error)
  }
}
