/**
 * Runs a program of this repository on the Node that it is made for: `node scripts/run.mjs TARGET [ARGS …]`.
 *
 * TARGET is a file (`bench/run.ts`) or the name of an installed tool (`vitest`). What is missing or does not match the
 * lockfile is installed first. Plain JavaScript without dependencies, since on a fresh clone it runs on whatever Node is
 * there (18 or later) and nothing is installed yet.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { install, isInstalled } from './install.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const oldestNode = [22, 18]

const [target, ...args] = process.argv.slice(2)
if (target === undefined) fail('Usage: node scripts/run.mjs TARGET [ARGS …]', 2)

if (!isInstalled(root)) {
  process.stderr.write('Installing the locked packages into node_modules, Node 24 among them (once; about 400 MB).\n')
  await installBy(process.execPath)
  // npm leaves out native parts that do not suit the Node it runs on: the one that came with them gets the rest.
  if (!isInstalled(root)) await installBy(node())
}
process.exitCode = await runChild(node(), ['--conditions=echelon-source', entry(target), ...args])

async function installBy(executable) {
  const code = await install(root, executable, (command, argv) => runChild(command, argv, root))
  if (code !== 0)
    fail('Installing failed: see above. Is the package registry reachable? `npm install` shows more.', code)
}

/** The locked Node 24; or the one that runs this file, where that package brought none but this one is new enough. */
function node() {
  const locked = path.join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(locked)) return locked
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [oldestMajor, oldestMinor] = oldestNode
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return process.execPath
  return fail(
    `Node ${oldestNode.join('.')} or later is needed and this is ${process.version}. The package \`node\` brings one, but its ` +
      'install script did not run: allow it (npm config ignore-scripts) and run `npm rebuild node`, or update Node.',
    1,
  )
}

/** The file to run: `target` itself, or the executable that the package of that name declares. */
function entry(name) {
  const file = path.resolve(root, name)
  if (/\.[mc]?[jt]s$/.test(name)) return existsSync(file) ? file : fail(`There is no ${name} here.`, 2)
  const folder = path.join(root, 'node_modules', name)
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return path.join(folder, typeof bin === 'string' ? bin : bin[path.basename(name)])
}

/**
 * Runs a program with our terminal, and answers its exit code. Programs that it starts by name are the installed ones.
 *
 * Signals reach it exactly once. It has a process group of its own, because Ctrl-C goes to a whole group, npm passes on
 * a second copy to us, and a program that drains at the first signal and gives up at the second must tell the two
 * apart. So copies that arrive together count as one; a second signal of the user, later, is passed on like the first.
 */
function runChild(command, argv, cwd = process.cwd()) {
  const copyMs = 150
  const ownGroup = process.platform !== 'win32'
  const env = { ...process.env, PATH: [path.join(root, 'node_modules/.bin'), process.env.PATH].join(path.delimiter) }
  const child = spawn(command, argv, { cwd, env, stdio: 'inherit', detached: ownGroup })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const lastAtMs = new Map()
  const forward = (signal) => {
    const nowMs = performance.now()
    if (child.pid !== undefined && nowMs - (lastAtMs.get(signal) ?? -Infinity) > copyMs)
      process.kill(ownGroup ? -child.pid : child.pid, signal)
    lastAtMs.set(signal, nowMs)
  }
  for (const signal of signals) process.on(signal, forward)
  return new Promise((resolve) => {
    child.on('error', (error) => fail(`${command} does not start: ${error.message}`, 1))
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

function fail(text, code) {
  process.stderr.write(`${text}\n`)
  process.exit(code)
}
