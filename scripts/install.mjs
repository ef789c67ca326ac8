/** Installs what the lockfile names, when it is not there yet. Plain JavaScript for Node 18: see `run.mjs`. */
import { existsSync, readFileSync } from 'node:fs'
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
  const expected = expectedFolders(root)
  const startedMs = performance.now()
  const tty = process.stderr.isTTY
  const say = (text) => {
    const line = `Installing: ${text}, ${Math.round((performance.now() - startedMs) / 1000)} s`
    process.stderr.write(tty ? `\r${line}\x1b[K` : `${line}\n`)
  }
  const tell = () => {
    const inPlace = expected.filter((folder) => existsSync(path.join(root, folder, 'package.json'))).length
    const next = inPlace === 0 ? ', asking the package registry' : inPlace < expected.length ? '' : ', Node 24 follows'
    say(`${inPlace} of ${expected.length} packages in place${next}`)
  }
  process.stderr.write('Installing the locked packages into node_modules, Node 24 among them (once; about 400 MB).\n')
  const ticker = setInterval(tell, tty ? 500 : 3000)
  // npm itself stays silent below errors, so that it and our line do not write over each other.
  const options = ['--no-audit', '--no-fund', '--include=dev', '--loglevel=error', '--no-progress']
  const code = await runChild(...npm(['install', ...options]))
  clearInterval(ticker)
  if (code === 0) say('done')
  if (tty) process.stderr.write('\n')
  return code
}

/** Folders of the packages that npm will put on a machine like this one. */
function expectedFolders(root) {
  const suits = (list, mine) => list === undefined || list.includes(mine)
  return Object.entries(packagesOf(path.join(root, 'package-lock.json')))
    .filter(
      ([folder, { os, cpu, libc }]) =>
        folder !== '' && suits(os, process.platform) && suits(cpu, process.arch) && suits(libc, 'glibc'),
    )
    .map(([folder]) => folder)
}

/** How to start npm: the one that runs us (it says where it is), else the one on the path. */
function npm(argv) {
  const cli = process.env.npm_execpath
  return cli?.endsWith('npm-cli.js') ? [process.execPath, [cli, ...argv]] : ['npm', argv]
}
