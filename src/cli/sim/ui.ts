import { writeFileSync } from 'node:fs'
import { replay } from '../../testing/simulation/replay.ts'
import { jsonLine } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { openCase } from './module.ts'
import { pageOf } from './page.ts'
import { verdictOf } from './replay.ts'

export interface UiOptions {
  readonly out?: string
  readonly json?: boolean
}

/** `echelon sim ui`: the timeline of a case as one page that needs nothing else. */
export async function writeUi(
  file: string,
  module: string | undefined,
  { out }: CommandHost,
  { out: page = `${file.replace(/\.json$/, '')}.html`, json = false }: UiOptions,
): Promise<number> {
  const { found, scenario } = await openCase(file, module)
  const replayed = await replay(scenario, found)
  const { result } = replayed
  const { scenario: name, seed, deviations, invariant, message } = found
  const verdict = verdictOf(replayed, found)
  writeFileSync(page, pageOf({ scenario: name, seed, deviations, invariant, message, verdict, trace: result.trace }))
  await out.write(json ? jsonLine({ page }) : `${page}\n`)
  return exitCodes.ok
}
