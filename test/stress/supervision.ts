/**
 * Stress of supervision, run on demand: `npm run stress -- --failures N --seed S`.
 *
 * A tree of 500 supervisors, six children each, under random failures: crashes, exits, kills of workers and of whole
 * supervisors, starts that fail, handlers that never end. After every batch, what must always hold is checked; at the
 * end the tree is stopped and everything that was sent, asked and watched is accounted for.
 */

import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import {
  child,
  createRuntime,
  defineActor,
  dynamicSupervisor,
  exits,
  message,
  question,
  seededRandom,
  supervisor,
  type AnyDefinition,
  type ChildInput,
  type Random,
  type Ref,
  type Strategy,
} from 'echelon'
import { ManualScheduler, VirtualClock } from 'echelon/testing'
import * as z from 'zod'

const usage = `Usage: npm run stress -- [--failures N] [--supervisors N] [--seed S]

  --failures N      failures to cause (default 500000)
  --supervisors N   supervisors in the tree, the top one included (default 500)
  --seed S          the same seed gives the same run (default 1)
`
const options = readOptions()
const breadth = 6
const batch = 200

interface Ledger {
  sent: number
  handled: number
  buried: number
  asked: number
  settled: number
  watched: number
  downs: number
  starts: number
  failingStarts: number
}

const harms = ['crash', 'exit', 'shutdown', 'hang'] as const
const protocol = {
  'worker.harm': message({ how: z.enum(harms) }),
  'worker.work': message(),
  'worker.ping': question({}, z.number()),
}

class Violation extends Error {}

/** One run: the same seed gives the same digest of everything that happened. */
async function run(
  seed: string,
  failures: number,
  supervisors: number,
): Promise<{ digest: string; ledger: Ledger; restarts: number }> {
  const random = seededRandom(seed)
  const clock = new VirtualClock()
  const scheduler = new ManualScheduler()
  const ledger: Ledger = {
    sent: 0,
    handled: 0,
    buried: 0,
    asked: 0,
    settled: 0,
    watched: 0,
    downs: 0,
    starts: 0,
    failingStarts: 0,
  }
  /** Which start is the current one at an address. By ref: orphans of a killed supervisor overlap with its next children, as in OTP. */
  const live = new WeakMap<object, number>()
  const undead: string[] = []
  const digest = createHash('sha256')
  let restarts = 0

  const worker = defineActor({
    name: 'worker',
    protocol,
    input: z.object({ key: z.string() }),
    state: ({ input }) => {
      if (ledger.failingStarts > 0) {
        ledger.failingStarts -= 1
        throw new Error('cannot start')
      }
      ledger.starts += 1
      return { key: input.key, serial: ledger.starts }
    },
    on: {
      'actor.started': ({ self, state }) => {
        live.set(self, state.serial)
      },
      'worker.harm': ({ message: { how }, state, stop, self }) => {
        if (live.get(self) !== state.serial)
          undead.push(`${self.path}: an incarnation handles a message after the next one has`)
        // A handler that never ends has not handled its message: that is a dead letter when the actor is killed.
        if (how !== 'hang') ledger.handled += 1
        if (how === 'exit') stop(exits.normal)
        else if (how === 'shutdown') stop(exits.shutdown('asked'))
        else if (how === 'hang') return new Promise<never>(() => undefined)
        else throw new Error('harm')
        return undefined
      },
      'worker.work': () => {
        ledger.handled += 1
      },
      'worker.ping': ({ reply, incarnation }) => {
        reply(incarnation)
      },
    },
  })

  // Disposed of by the shutdown below; a violation ends the process, whatever is left.
  const runtime = await startRuntime()
  runtime.deadLetters.subscribe(({ message: letter, reason }) => {
    // A message whose handler threw was handled, and is a dead letter all the same; asks are accounted for apart.
    const isPing = typeof letter === 'object' && letter !== null && 'type' in letter && letter.type === 'worker.ping'
    if (reason !== 'crashed' && !isPing) ledger.buried += 1
  })
  runtime.on('restarted', ({ path, incarnation, reason }) => {
    restarts += 1
    digest.update(`${path}#${incarnation} ${reason.kind}\n`)
  })

  const paths = (): string[] => [...workersUnder(runtime.ref('/top'))]
  await scheduler.settle()
  let known = paths()
  for (let done = 0; done < failures;) {
    for (let i = 0; i < batch && done < failures; i += 1, done += 1) harm(random, known)
    await scheduler.settle()
    clock.advanceBy(random.int(40))
    await scheduler.settle()
    known = paths()
    check(done)
  }
  const closing = runtime.shutdown({ deadlineMs: 5000 })
  let closed = false
  void closing.then(() => {
    closed = true
  })
  for (let turns = 0; !closed; turns += 1) {
    if (turns > 1000) throw new Violation('the shutdown does not end within its deadline')
    await scheduler.settle()
    clock.advanceBy(50)
  }
  await scheduler.settle()
  clock.advanceBy(10_000)
  await scheduler.settle()
  accountFor()
  return { digest: digest.digest('hex'), ledger, restarts }

  async function startRuntime() {
    const creating = createRuntime({ seed, clock, scheduler, root: tree(), shutdownMs: 5000, deadLettersKept: 1 })
    creating.catch(() => undefined)
    await scheduler.settle()
    return creating
  }

  /** A tree of the asked number of supervisors, breadth first, whose free places are workers. */
  function tree(): AnyDefinition {
    let left = supervisors - 1
    const build = (name: string, depth: number, isTop: boolean): AnyDefinition => {
      const children: ChildInput[] = []
      const nested = Math.min(breadth - (isTop ? 0 : 2), left, depth > 0 ? breadth : 0)
      left -= nested
      for (let i = 0; i < breadth; i += 1) {
        if (i < nested) children.push(child(build(`s${i}`, depth - 1, false), { shutdown: 200 }))
        else if (!isTop && i === breadth - 1)
          children.push(child(dynamicSupervisor(`d${i}`, { child: workerSpec(`d${i}`), intensity: generous })))
        else children.push(workerSpec(`w${i}`))
      }
      const strategies: readonly Strategy[] = isTop ? ['one_for_one'] : ['one_for_one', 'one_for_all', 'rest_for_one']
      const strategy = strategies[random.int(strategies.length)] ?? 'one_for_one'
      return supervisor(name, { strategy, intensity: isTop ? endless : generous, children })
    }
    return build('top', 4, true)
  }

  function workerSpec(id: string): ChildInput {
    const restart = (['permanent', 'transient', 'permanent'] as const)[random.int(3)] ?? 'permanent'
    return child(worker, {
      id,
      input: { key: id },
      restart,
      shutdown: random.int(3) === 0 ? 'brutal_kill' : 100,
      keepMailbox: random.int(4) === 0,
    })
  }

  function harm(dice: Random, targets: readonly string[]): void {
    const path = targets[dice.int(Math.max(1, targets.length))]
    const ref = path === undefined ? undefined : runtime.ref(path)
    if (ref === undefined) return
    // Every leaf of the tree is a worker.
    const target = ref as unknown as Ref<typeof protocol>
    const kind = dice.int(100)
    if (kind < 60) tell(target, harms[dice.int(3)] ?? 'crash')
    else if (kind < 62) tell(target, 'hang')
    else if (kind < 75) target.kill()
    else if (kind < 76) runtime.ref(path?.slice(0, path.lastIndexOf('/')) ?? '')?.kill()
    else if (kind < 78) ledger.failingStarts += 1
    else if (kind < 88) watch(target)
    else ask(target)
    ledger.sent += 1
    target.tell({ type: 'worker.work' })
  }

  function tell(target: Ref<typeof protocol>, how: (typeof harms)[number]): void {
    ledger.sent += 1
    target.tell({ type: 'worker.harm', how })
  }

  function watch(target: Ref<typeof protocol>): void {
    ledger.watched += 1
    target.watch(() => {
      ledger.downs += 1
    })
  }

  function ask(target: Ref<typeof protocol>): void {
    ledger.asked += 1
    const settle = (): void => {
      ledger.settled += 1
    }
    target.ask({ type: 'worker.ping' }, { timeoutMs: 1000 }).then(settle, settle)
  }

  function check(done: number): void {
    if (undead[0] !== undefined) throw new Violation(undead[0])
    const root = runtime.ref('/top')
    if (root?.isRunning !== true) throw new Violation(`after ${done} failures the top supervisor is down`)
    const seen = new Set<string>()
    for (const path of paths()) {
      if (seen.has(path)) throw new Violation(`two live incarnations at ${path}`)
      seen.add(path)
    }
  }

  function accountFor(): void {
    const { sent, handled, buried, asked, settled, watched, downs } = ledger
    if (asked !== settled) throw new Violation(`${asked} asks, ${settled} settled`)
    if (watched !== downs) throw new Violation(`${watched} watches, ${downs} answers`)
    if (runtime.stats.actors !== 0) throw new Violation(`${runtime.stats.actors} actors are left after the shutdown`)
    if (sent !== handled + buried) throw new Violation(`sent ${sent}, handled ${handled}, dead letters ${buried}`)
  }
}

const generous = { restarts: 40, withinMs: 1000 }
const endless = { restarts: 1_000_000, withinMs: 1 }

/** Paths of the workers that are up, in tree order. */
function* workersUnder(ref: Ref | undefined): Iterable<string> {
  const snapshot = ref?.snapshot as
    { context: { children?: readonly { status: string; type: string; ref?: Ref }[] } } | undefined
  for (const { status, type, ref: below } of snapshot?.context.children ?? []) {
    if (status !== 'running' || below === undefined) continue
    if (type === 'worker') yield below.path
    else yield* workersUnder(below)
  }
}

interface Options {
  readonly failures: number
  readonly supervisors: number
  readonly seed: string
}

/** What was asked for on the command line. `--help`, and what makes no sense, end the process here. */
function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        failures: { type: 'string', default: '500000' },
        supervisors: { type: 'string', default: '500' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(usage)
      process.exit()
    }
    return {
      failures: positive('--failures', values.failures),
      supervisors: positive('--supervisors', values.supervisors),
      seed: values.seed,
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
}

function positive(option: string, text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count
  throw new RangeError(`${option} is a whole number from 1, not '${text}'`)
}

const { failures, supervisors, seed } = options
const startMs = performance.now()
const first = await run(seed, failures, supervisors)
const seconds = (performance.now() - startMs) / 1000
const probe = Math.min(failures, 20_000)
const [one, two] = [await run(seed, probe, supervisors), await run(seed, probe, supervisors)]
if (one.digest !== two.digest) throw new Violation('the same seed gave two different runs')
process.stdout.write(
  `${supervisors} supervisors, ${failures} failures, ${first.restarts} restarts in ${seconds.toFixed(1)} s, seed ${seed}: ` +
    `${first.ledger.sent} messages, ${first.ledger.asked} asks, ${first.ledger.watched} watches accounted for; digest ${first.digest.slice(0, 16)}\n`,
)
