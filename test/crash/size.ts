/** Recovers from large journals: `npm run crash:size`. It takes 3 GB on the disk for temporary files. */
import { measure, sizeGoals } from './size/sizes.ts'
import { temporaryFolder, tidyOnSignals } from './support/folder.ts'
import { report } from './support/goals.ts'

tidyOnSignals()
using folder = temporaryFolder()
const many = await measure(folder, { name: 'many', streams: 100_000, entries: 2, entryBytes: 50, long: 0 })
const small = await measure(folder, { name: 'small', streams: 2000, entries: 25, entryBytes: 1000, long: 50_000 })
const large = await measure(folder, { name: 'large', streams: 20_000, entries: 25, entryBytes: 1000, long: 500_000 })
for (const { name, bytes, buildMs, firstMs, longMs, peakBytes } of [many, small, large]) {
  const figures = [
    ...[`${(bytes / 1e6).toFixed(0)} MB, made in ${(buildMs / 1000).toFixed(1)} s`],
    ...[`first message after ${firstMs.toFixed(0)} ms`, `longest stream in ${(longMs / 1000).toFixed(1)} s`],
    ...[`${(peakBytes / 1e6).toFixed(0)} MB of memory`],
  ]
  process.stdout.write(`${name}: ${figures.join(', ')}\n`)
}
process.exitCode = report(sizeGoals(many, small, large), [])
