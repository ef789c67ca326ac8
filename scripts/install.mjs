/** Installs what the lockfile names, when it is not there yet. Plain JavaScript for Node 18: see `run.mjs`. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** Packages of a lockfile by folder. npm keeps a second one beside the packages, of what it really installed. */
const packagesOf = (file) => Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages)

/** Whether each package that this machine needs is there in the locked version. */
export function isInstalled(root) {
  const installedFile = path.join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installedFile)) return false
  const installed = new Map(packagesOf(installedFile))
  return neededPackages(root).every(([folder, { version }]) => installed.get(folder)?.version === version)
}

/** Runs `npm install` by `node`, telling how far it is. Answers its exit code. */
export async function install(root, node, runChild) {
  const needed = neededPackages(root)
  const startedMs = performance.now()
  const tty = process.stderr.isTTY
  const say = (text) => {
    const line = `Installing: ${text}, ${Math.round((performance.now() - startedMs) / 1000)} s`
    process.stderr.write(tty ? `\r${line}\x1b[K` : `${line}\n`)
  }
  const tell = () => {
    const inPlace = needed.filter(([folder]) => existsSync(path.join(root, folder, 'package.json'))).length
    const next = inPlace === 0 ? ', asking the package registry' : inPlace < needed.length ? '' : ', Node 24 follows'
    say(`${inPlace} of ${needed.length} packages in place${next}`)
  }
  const ticker = setInterval(tell, tty ? 500 : 3000)
  // npm itself stays silent below errors, so that it and our line do not write over each other.
  const argv = ['install', '--no-audit', '--no-fund', '--include=dev', '--loglevel=error', '--no-progress']
  const cli = process.env.npm_execpath // the npm that runs us, if one does
  const code = cli?.endsWith('npm-cli.js') ? await runChild(node, [cli, ...argv]) : await runChild('npm', argv)
  clearInterval(ticker)
  if (code === 0) say('done')
  if (tty) process.stderr.write('\n')
  return code
}

/** What npm puts on a machine like this one: all but the native parts for other machines, and what only those use. */
function neededPackages(root) {
  const mine = { os: process.platform, cpu: process.arch, libc: libc() }
  const suits = (wanted) => Object.entries(mine).every(([key, value]) => wanted[key]?.includes(value) ?? true)
  return packagesOf(path.join(root, 'package-lock.json')).filter(
    ([folder, wanted]) => folder !== '' && suits(wanted) && (!wanted.optional || wanted.os !== undefined),
  )
}

function libc() {
  if (process.platform !== 'linux') return undefined
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}
