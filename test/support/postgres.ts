import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'vitest'

/** Folder of the installed server programs: one of PATH, or where Debian puts the newest version. */
const programs = [
  ...(process.env['PATH'] ?? '').split(path.delimiter),
  ...globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => Number(/\d+/.exec(b)?.[0]) - Number(/\d+/.exec(a)?.[0])),
].find((folder) => existsSync(path.join(folder, 'initdb')) && existsSync(path.join(folder, 'postgres')))

/** The server refuses to run as root: it is started as the user that the Debian package makes. */
const account: SpawnOptions = process.getuid?.() === 0 ? (unprivileged() ?? {}) : {}

/** Whether this machine can run a server. */
export const hasPostgres = programs !== undefined && (process.getuid?.() !== 0 || account.uid !== undefined)

/** First thing in a test that needs a server: skips the test, loudly, where none is installed. */
export function postgresOrSkip(context: TestContext): void {
  context.skip(
    !hasPostgres,
    'Postgres not installed: tests of the Postgres journal skipped; install with: apt-get install postgresql',
  )
}

/** A server of the test's own, in a folder of its own, on a free loopback port. */
export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  /** Ends it as a crash does: its processes get no chance to do anything. */
  crash(): Promise<void>
  /** Starts it again on the same data and port. */
  restart(): Promise<void>
}

/** Starts a server. Disposing ends it and removes its data. `settings` are those of `postgresql.conf`. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'echelon-postgres-'))
  if (account.uid !== undefined && account.gid !== undefined) chownSync(folder, account.uid, account.gid)
  const data = path.join(folder, 'data')
  const init = run('initdb', ['-D', data, '-U', 'echelon', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'])
  if ((await init.exited) !== 0) throw new Error(`initdb failed: ${init.output()}`)
  const port = await freePort()
  const all = { port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: folder, ...settings }
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  let server = await start(args)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    server.child.kill(signal)
    await server.exited
  }
  return {
    url: `postgres://echelon@127.0.0.1:${port}/postgres`,
    crash: () => end('SIGKILL'),
    restart: async () => {
      server = await start(args)
    },
    [Symbol.asyncDispose]: async () => {
      await end('SIGQUIT') // at once: what it has not written to its files goes with them
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly output: () => string
}

function run(program: string, args: readonly string[]): Running {
  const child = spawn(path.join(programs ?? '', program), args, {
    ...account,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  return { child, exited: once(child, 'exit').then(([code]) => code as number | null), output: () => output }
}

/** Starts the server and waits until it takes connections. What is left of one that crashed may be in its way at first. */
async function start(args: readonly string[]): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    const server = run('postgres', args)
    const isReady = new Promise<boolean>((resolve) => {
      server.child.stderr?.on('data', () => {
        if (server.output().includes('ready to accept connections')) resolve(true)
      })
      void server.exited.then(() => {
        resolve(false)
      })
    })
    if (await isReady) return server
    const isLeftover = /pre-existing shared memory block|lock file .* already exists/.test(server.output())
    if (!isLeftover || attempt === 100) throw new Error(`postgres did not start: ${server.output()}`)
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo // a listening TCP server has one
  probe.close()
  await once(probe, 'close')
  return port
}

function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}
