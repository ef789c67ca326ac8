/** The process of one subject: `node child.ts BENCH SUBJECT`. Each number of milliseconds that arrives is one run. */

import { end } from './at-end.ts'
import type { Prepare } from './bench.ts'
import { loadBench } from './load.ts'

const [, , name = '', subject = ''] = process.argv
const found = (await loadBench(name)).subjects[subject]
if (found === undefined || (typeof found === 'object' && found.kind === 'erlang')) {
  throw new Error(`Bench ${name} has no subject "${subject}" that runs in Node`)
}
const prepare: Prepare = typeof found === 'function' ? found : found.prepare
const run = await prepare()

process.on('message', (ms) => {
  void measure(Number(ms))
})
process.on('disconnect', () => void end().finally(() => process.exit()))
process.send?.({ kind: 'ready' })

async function measure(ms: number): Promise<void> {
  try {
    process.send?.({ kind: 'sample', sample: await run(ms) })
  } catch (error) {
    process.send?.({ kind: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}
