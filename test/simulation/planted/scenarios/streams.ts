import type { Append, Journal, Snapshot } from '../../../../src/core/journal.ts'
import { perWorld } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'
import type { SimulatedNode } from '../../../../src/testing/simulation/node.ts'

const stream = '/notes'

class Model {
  /** Texts that were acknowledged, by the entry that they were to become. */
  readonly kept = new Map<number, string>()
  problem: string | undefined
}

const model = perWorld(() => new Model())

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error)

/** Opens the journal of a node, and takes it from whoever has it. */
function open(node: SimulatedNode): Promise<Journal> {
  const { zone } = node
  if (zone === undefined) throw new Error('the node has no process')
  return node.disk.source(zone).open({ node: node.name, clock: zone })
}

const appendOf = (expectedSeq: number, text: string, snapshot?: Snapshot): Append => ({
  stream,
  expectedSeq,
  entries: [{ kind: 'created', version: 1, atMs: 0, body: JSON.stringify({ text }) }],
  ...(snapshot === undefined ? {} : { snapshot }),
  wakeAtMs: null,
})

/**
 * Editors write to one stream of a journal, each after the entry that it takes for the last one, and one of them may have
 * been replaced. What is acknowledged is where it was to be, and compaction takes nothing that is needed.
 */
export const streamsWorld: PlantedWorld = {
  scenario: {
    name: 'streams',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const { current } = model
      const node = world.node('node')
      let journal = await open(node)
      const add = async (name: string, withSnapshot: boolean): Promise<void> => {
        const mine = journal
        const { lastSeq } = await mine.load(stream)
        const [seq, text] = [lastSeq + 1, `${name} after ${lastSeq}`]
        const snapshot = withSnapshot ? { seq: lastSeq, version: 1, atMs: 0, body: '{}', blobs: [] } : undefined
        const wasReplaced = mine !== journal
        const code = await mine
          .append([appendOf(lastSeq, text, lastSeq > 0 ? snapshot : undefined)])
          .then(() => undefined, codeOf)
        if (code !== undefined) return
        if (wasReplaced) current.problem ??= `${text} was written by who had been replaced`
        if (current.kept.has(seq)) current.problem ??= `${text} was taken, and ${current.kept.get(seq) ?? ''} too`
        current.kept.set(seq, text)
      }
      const editor = async (name: string): Promise<void> => {
        for (let round = 1; round <= 4; round += 1) {
          const what = world.choose(5, `${name} ${round}`)
          if (what === 1 || what === 2) await add(`${name}${round}`, what === 2)
          if (what === 3) await journal.compact().catch(codeOf)
          if (what === 4) journal = await open(node)
        }
      }
      await Promise.all([editor('a'), editor('b')])
      const { lastSeq, snapshot, entries } = await journal.load(stream)
      const due = Array.from({ length: lastSeq - (snapshot?.seq ?? 0) }, (_, index) => (snapshot?.seq ?? 0) + index + 1)
      if (entries.map(({ seq }) => seq).join(' ') !== due.join(' '))
        current.problem ??= `${entries.length} entries are there after the snapshot, and ${due.length} should be`
      for (const { seq, body } of entries)
        if (body !== JSON.stringify({ text: current.kept.get(seq) })) current.problem ??= `entry ${seq} is ${body}`
    },
    always: function whatIsAcknowledgedIsWhereItWasToBe() {
      return model.current.problem
    },
  },
  faults: faults.only({ diskSlow: 0.1 }),
}
