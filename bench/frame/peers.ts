/** Makes the peers ready: installs their package when a bench first needs it, and compiles the Erlang programs. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const peersFolder = fileURLToPath(new URL('../peers/', import.meta.url))

/** Installs `bench/peers/` unless it is there, and says whether it is there now; `say` gets progress, a line at a time. */
export async function installPeers(say: (line: string) => void): Promise<boolean> {
  if (existsSync(join(peersFolder, 'node_modules'))) return true
  say('Installing the packages to compare with into bench/peers/ …')
  const npm = spawn('npm', ['ci', '--no-audit', '--no-fund'], { cwd: peersFolder, stdio: ['ignore', 2, 2] })
  const [code] = await once(npm, 'exit').catch((error: unknown) => [String(error)])
  if (code !== 0) say(`npm ci in bench/peers/ failed (${code}): the subjects that need it are left out.`)
  return code === 0
}

/** Compiles `bench/peers/erlang/*.erl` into a temporary folder; nothing when Erlang is not installed. */
export function compileErlang(): { readonly folder: string; readonly remove: () => void } | undefined {
  if (spawnSync('erl', ['-version']).error !== undefined) return undefined
  const sources = join(peersFolder, 'erlang')
  const folder = mkdtempSync(join(tmpdir(), 'echelon-bench-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const files = readdirSync(sources).filter((file) => file.endsWith('.erl'))
  const { status, stdout, error } = spawnSync('erlc', ['-o', folder, ...files], { cwd: sources, encoding: 'utf8' })
  if (status === 0) return { folder, remove }
  remove()
  throw new Error(`erlc failed: ${error?.message ?? stdout}`)
}
