/** Finds benches: each `bench/NAME.ts` beside `run.ts` is one, and its default export says what it asks. */

import { readdirSync } from 'node:fs'
import type { Bench } from './bench.ts'

const folder = new URL('../', import.meta.url)

/** Files of `bench/` that are no bench. */
const others: ReadonlySet<string> = new Set(['run', 'limits'])

export function benchNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .filter((name) => !others.has(name))
    .sort()
}

export async function loadBench(name: string): Promise<Bench> {
  // Only files listed by `benchNames` get here, and each default export is checked with `satisfies Bench`.
  const module = (await import(new URL(`${name}.ts`, folder).href)) as { default: Bench }
  return module.default
}
