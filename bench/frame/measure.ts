/** How a subject measures itself: rates over whole batches, latencies over single operations, memory after collection. */

import type { Sample } from './bench.ts'

/** Repeats `batch`, which does `size` operations, until `ms` have passed: operations per second. */
export async function perSecond(ms: number, size: number, batch: () => unknown): Promise<Sample> {
  const { operations, elapsedMs } = await repeat(ms, size, batch)
  return { value: (operations / elapsedMs) * 1e3 }
}

/** As `perSecond`, but nanoseconds per operation. */
export async function nsEach(ms: number, size: number, batch: () => unknown): Promise<Sample> {
  const { operations, elapsedMs } = await repeat(ms, size, batch)
  return { value: (elapsedMs / operations) * 1e6 }
}

async function repeat(ms: number, size: number, batch: () => unknown) {
  const startedMs = performance.now()
  let operations = 0
  let elapsedMs = 0
  while (elapsedMs < ms) {
    await batch()
    operations += size
    elapsedMs = performance.now() - startedMs
  }
  return { operations, elapsedMs }
}

/** Median and 99th percentile of latencies in milliseconds, as microseconds. */
export function latency(samplesMs: readonly number[]): Sample {
  const sorted = Float64Array.from(samplesMs).sort()
  return { value: quantile(sorted, 0.5) * 1e3, p99: quantile(sorted, 0.99) * 1e3 }
}

export function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5)
}

/** Linear between the two nearest ranks; `sorted` ascends and is not empty. */
function quantile(sorted: Float64Array, q: number): number {
  const rank = (sorted.length - 1) * q
  const low = sorted[Math.floor(rank)]
  const high = sorted[Math.ceil(rank)]
  if (low === undefined || high === undefined) throw new RangeError('a quantile of no samples')
  return low + (high - low) * (rank - Math.floor(rank))
}

/** Bytes in use after full collections, with what lives outside V8's heap. Child processes run with `--expose-gc`. */
export async function bytesInUse(): Promise<number> {
  // Finalizers and weak references settle between collections, in tasks of their own.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external // `external` counts array buffers too
}

/** A promise and the function that settles it: how a batch learns that its last message was handled. */
export function signal(): { readonly done: Promise<void>; readonly finish: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { done: promise, finish: resolve }
}

/** The numbers 0 to `size - 1` in an order that looks random and is the same in every subject and run. */
export function shuffled(size: number): Uint32Array {
  const order = Uint32Array.from({ length: size }, (_, index) => index)
  let seed = 42
  for (let last = size - 1; last > 0; last--) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff // the C library's old generator, enough to shuffle
    const other = seed % (last + 1)
    const swapped = order[last] ?? 0
    order[last] = order[other] ?? 0
    order[other] = swapped
  }
  return order
}
