import type { Invariant } from '../../../../src/testing/simulation/invariant.ts'

/** Messages that are on disk before they are handled are handled in the order in which they are there. */
export const handledInOrder: Invariant = {
  kind: 'invariant',
  name: 'handled in the order of the journal',
  begin: () => {
    const last = new Map<string, number>()
    return {
      written: (node, appends) => {
        for (const { stream, entries } of appends)
          for (const { kind, body } of entries) {
            // Only what Echelon writes is on this disk.
            const { of } = JSON.parse(body) as { readonly of?: number }
            if (kind !== 'handled' || of === undefined) continue
            const key = `${node.name} ${stream}`
            const before = last.get(key) ?? 0
            last.set(key, of)
            if (of < before) throw new Error(`${stream}: entry ${of} was handled after entry ${before}`)
          }
      },
    }
  },
}
