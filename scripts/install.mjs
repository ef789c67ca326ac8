/** Installs what the lockfile names, when it is not there yet. Plain JavaScript for Node 18: see `run.mjs`. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

/** Packages of a lockfile by folder. npm keeps a second one beside the packages, of what it really installed. */
const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages

/** Whether each package that this machine needs is there in the locked version. */
export function isInstalled(root) {
  const installedFile = path.join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installedFile)) return false
  const installed = packagesOf(installedFile)
  return Object.entries(packagesOf(path.join(root, 'package-lock.json'))).every(
    ([folder, { version, optional, peer, devOptional }]) =>
      folder === '' || optional || devOptional || peer || installed[folder]?.version === version,
  )
}

/** Runs `npm install`, telling how far it is. Answers its exit code. */
export async function install(root, runChild) {
  const expected =
    Object.entries(packagesOf(path.join(root, 'package-lock.json'))).filter(([, { optional }]) => !optional).length - 1
  const started = performance.now()
  const say = (text) => {
    const line = `Installing: ${text}, ${Math.round((performance.now() - started) / 1000)} s`
    process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`)
  }
  process.stderr.write(`Installing ${expected} packages into node_modules, Node 24 among them (once; about 400 MB).\n`)
  const ticker = setInterval(
    () => say(`${countPackages(root)} of ${expected} in place`),
    process.stderr.isTTY ? 500 : 3000,
  )
  // npm itself stays silent below errors, so that it and our line do not write over each other.
  const options = ['--no-audit', '--no-fund', '--include=dev', '--loglevel=error', '--no-progress']
  const [command, argv] = npm(['install', ...options])
  const code = await runChild(command, argv)
  clearInterval(ticker)
  if (code === 0) say('done')
  if (process.stderr.isTTY) process.stderr.write('\n')
  return code
}

/** How to start npm: the one that runs us (it says where it is), else the one on the path. */
function npm(argv) {
  const cli = process.env.npm_execpath
  return cli?.endsWith('npm-cli.js') ? [process.execPath, [cli, ...argv]] : ['npm', argv]
}

/** Packages whose files are (being) written: npm makes each folder when it gets to it. */
function countPackages(root) {
  const folder = path.join(root, 'node_modules')
  if (!existsSync(folder)) return 0
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'))
  return names.reduce((sum, name) => sum + (name.startsWith('@') ? readdirSync(path.join(folder, name)).length : 1), 0)
}
