/**
 * Writes the journal of this version into `test/compat/`, for later versions to read: `node scripts/run.mjs
 * test/compat/make.ts VERSION`. Run it once for each released format, and never again: what it wrote is kept.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createRuntime, systemClock, type Clock } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { door, order, reminder, shelf } from './actors.ts'

/** In a process that is killed, so that there is no clean end. */
function makeFixture(name: string): void {
  const target = fileURLToPath(new URL(`format-${name}.db`, import.meta.url))
  if (name === '' || existsSync(target))
    throw new Error(`give the version of a format that is not kept yet, not '${name}'`)
  const script = fileURLToPath(import.meta.url)
  const { signal } = spawnSync(process.execPath, [...process.execArgv, script, name, target], { stdio: 'inherit' })
  if (signal !== 'SIGKILL') throw new Error('the process that writes the journal was not killed as planned')
  rmSync(`${target}-shm`, { force: true }) // made anew by whoever opens it
}

/** Everything that was to come has come since. */
const longAgo: Clock = { ...systemClock, wallNow: () => Date.UTC(2026, 0, 1) + systemClock.now() }

async function crash(file: string): Promise<void> {
  const runtime = await createRuntime({ journal: sqliteJournal(file), clock: longAgo })
  const shelves = runtime.get(shelf, 'a')
  for (const name of ['lamp', 'book', 'clock', 'vase', 'globe', 'radio', 'cup'])
    await shelves.tell({ type: 'shelf.put', name }, { durable: true, id: name })
  const orders = runtime.get(order, 'o1')
  await orders.tell({ type: 'order.pay', card: '4711' }, { durable: true })
  await runtime.get(order, 'o2').tell({ type: 'order.hang' }, { durable: true })
  await runtime.get(reminder, 'r').tell({ type: 'reminder.begin' }, { durable: true })
  await runtime.get(door, 'front').tell({ type: 'door.open' }, { durable: true })
  await runtime.get(door, 'back').tell({ type: 'door.lock' }, { durable: true })
  // Questions that change nothing are answered when everything before them is on disk.
  await orders.ask({ type: 'order.state' })
  await runtime.get(reminder, 'r').ask({ type: 'reminder.rung' })
  while ((await runtime.get(door, 'back').ask({ type: 'door.where' })) !== '"locked"');
  process.kill(process.pid, 'SIGKILL')
}

const [, , version = '', journal] = process.argv
if (journal === undefined) makeFixture(version)
else await crash(journal)
