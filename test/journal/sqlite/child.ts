/** A process of its own with a journal: `processes.test.ts` tells it what to do. */
import { systemClock } from '../../../src/core/clock.ts'
import type { Append, Journal } from '../../../src/core/journal.ts'
import { sqliteJournal } from '../../../src/journal/sqlite/journal.ts'

export type Order =
  | { readonly kind: 'open'; readonly file: string }
  | { readonly kind: 'append'; readonly appends: readonly Append[] }
  /** Appends groups of one entry for each of three streams, as fast as they are written, and says when each is. */
  | { readonly kind: 'write on' }
  /** Appends, does not wait for it, and lets the process end when it has nothing to do. */
  | { readonly kind: 'append and end'; readonly appends: readonly Append[] }
  | { readonly kind: 'end' }

export type Report =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly code: unknown; readonly message: string }
  | { readonly kind: 'written'; readonly groups: number }
  | { readonly kind: 'failed'; readonly code: unknown }

let journal: Journal | undefined

const report = (what: Report): void => {
  process.send?.(what)
}
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

async function carryOut(order: Order): Promise<void> {
  switch (order.kind) {
    case 'open':
      journal = await sqliteJournal(order.file).open({
        node: 'child',
        clock: systemClock,
        onFailed: (error) => {
          report({ kind: 'failed', code: codeOf(error) })
        },
      })
      break
    case 'append':
      await journal?.append(order.appends)
      break
    case 'write on':
      for (let groups = 0; ; groups += 1) {
        const group = ['x', 'y', 'z'].map((stream): Append => {
          const body = JSON.stringify(`${groups}`.repeat(20))
          const entries = [{ kind: 'handled', version: 1, atMs: 1, body } as const]
          return { stream, expectedSeq: groups, entries, wakeAtMs: groups }
        })
        await journal?.append(group)
        report({ kind: 'written', groups: groups + 1 })
      }
    case 'append and end':
      void journal?.append(order.appends)
      process.disconnect()
      return
    case 'end':
      process.disconnect()
      return
    default:
      return order satisfies never
  }
  report({ kind: 'done' })
}

process.on('message', (order: Order) => {
  carryOut(order).catch((error: unknown) => {
    report({ kind: 'refused', code: codeOf(error), message: String(error) })
  })
})
report({ kind: 'done' })
