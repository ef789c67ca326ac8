/**
 * One life: a process that runs durable actors under load, until it is killed. Everything that is acknowledged to it, it
 * passes on at once to whoever started it; see `facts.ts`.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  createRuntime,
  EchelonError,
  seededRandom,
  systemClock,
  type InDoubt,
  type Random,
  type Resolution,
  type Runtime,
} from 'echelon'
import { sqliteJournal, type Journal, type JournalSource } from 'echelon/journal'
import { wait } from '../support/programs.ts'
import { account, alarm, jobOf, orderOf, relay } from './actors.ts'
import { keyOf, type Fact, type LifeInput, type Progress, type Sight } from './facts.ts'
import { Outside } from './outside.ts'

const say = (fact: Fact): void => {
  writeSync(1, `${JSON.stringify(fact)}\n`)
}
const seen = (sight: Sight): void => {
  say({ kind: 'seen', sight })
}

const reader = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { value: line } = await reader.next()
const input = JSON.parse(String(line)) as LifeInput // what the watching process wrote
const random = seededRandom(input.seed)
const outside = new Outside(input.outside, `life ${process.pid} ${input.seed}`)
const order = orderOf(outside)
const job = jobOf(outside)

/** Milliseconds in which timers ring and jobs end that are due within half a second. */
const settleMs = 20_000
/** How long an operation may take: the machine may be busy, but nothing waits for ever. */
const patient = { timeoutMs: 60_000 }
/** Batches and single operations that a client does in one life at most, so that the journal stays small. */
const most = { load: 40, settle: 1 }[input.mode]
/** Whether somebody looks after effects in doubt in this life. */
const isAttended = input.mode === 'settle' || random.fork('person').int(2) === 0
/** Messages of one client that are on their way together at most. */
const mostAtOnce = 8
let isEnding = false

let journal: Journal | undefined
const source = sqliteJournal(input.journal)
const kept: JournalSource = { ...source, open: async (host) => (journal = await source.open(host)) }
const runtime = await createRuntime({
  journal: kept,
  definitions: [account, relay, alarm, order, job],
  onInDoubt: rule,
})
say({ kind: 'up' })
watchFor(runtime)

if (input.mode === 'settle') {
  await Promise.all([work(), lookAgain()])
  await settleEverything()
  isEnding = true
  await runtime.shutdown()
  say({ kind: 'settled' })
} else {
  for (const part of [work(), lookAgain(), compactSometimes()])
    part.catch((error: unknown) => {
      trouble('a part of the work', error)
    })
  // It is killed, unless it is asked to end.
  await reader.next()
  isEnding = true
  await runtime.shutdown()
}
process.exit(0)

// ---- clients --------------------------------------------------------------------------------------------------------

interface Client {
  readonly name: string
  readonly run: (client: string, from: number) => Promise<void>
}

async function work(): Promise<void> {
  if (isAttended) attend()
  const running = clients().map(({ name, run }) => run(name, (input.acknowledged[name] ?? 0) + 1))
  for (const one of await Promise.allSettled(running)) if (one.status === 'rejected') trouble('a client', one.reason)
}

/** In another order in every life, so that who comes first changes. */
function clients(): readonly Client[] {
  const all: readonly Client[] = [
    ...['t1', 't2', 't3'].map((name) => ({ name, run: teller('a1') })),
    ...['t4', 't5'].map((name) => ({ name, run: teller('a2') })),
    ...['p1', 'p2', 'p3'].map((name) => ({ name, run: payer })),
    ...['w1', 'w2'].map((name) => ({ name, run: alarmSetter })),
    ...['j1', 'j2'].map((name) => ({ name, run: jobStarter })),
    ...['r1', 'r2'].map((name) => ({ name, run: passer })),
    ...['q1', 'q2'].map((name) => ({ name, run: pusher })),
  ]
  return all
    .map((client) => ({ client, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ client }) => client)
}

/** Several messages at a time: they arrive in their order. At the end all that an earlier life may have sent. */
function teller(key: string): Client['run'] {
  const ref = runtime.get(account, key)
  return repeat(async (client, from, dice) => {
    const size = input.mode === 'settle' ? mostAtOnce : 1 + dice.int(mostAtOnce)
    const batch = Array.from({ length: size }, (_, i) => {
      const n = from + i
      return ref.tell({ type: 'account.add', client, n }, { durable: true, id: keyOf(client, n) })
    })
    const acknowledged = batch.map(async (one, i) => {
      await one
      say({ kind: 'told', client, n: from + i })
    })
    await Promise.all(acknowledged)
    return batch.length
  })
}

function orderFor(client: string): string {
  return client === 'p3' ? 'o2' : 'o1'
}

function payer(client: string, from: number): Promise<void> {
  const ref = runtime.get(order, orderFor(client))
  return repeat(async (_, n) => {
    const value = await ref.ask({ type: 'order.pay', client, n }, patient)
    say({ kind: 'answered', client, n, value })
  })(client, from)
}

function alarmSetter(client: string, from: number): Promise<void> {
  const ref = runtime.get(alarm, 'alarm')
  return repeat(async (_, n, dice) => {
    const delayMs = dice.int(4) === 0 ? 250 : 1 + dice.int(40)
    await ref.tell({ type: 'alarm.set', client, n, delayMs }, { durable: true, id: keyOf(client, n) })
    say({ kind: 'told', client, n })
  })(client, from)
}

function jobStarter(client: string, from: number): Promise<void> {
  return repeat(async (_, n) => {
    const ref = runtime.get(job, keyOf(client, n))
    await ref.tell({ type: 'job.start', client, n }, { durable: true, id: keyOf(client, n) })
    say({ kind: 'told', client, n })
  })(client, from)
}

function passer(client: string, from: number): Promise<void> {
  return repeat(async (_, n) => {
    await runtime.get(relay, 'relay').ask({ type: 'relay.pass', client, n }, patient)
    say({ kind: 'told', client, n })
  })(client, from)
}

function pusher(client: string, from: number): Promise<void> {
  return repeat(async (_, n) => {
    const ref = runtime.get(relay, 'relay')
    await ref.tell({ type: 'relay.push', client, n }, { durable: true, id: keyOf(client, n) })
    say({ kind: 'told', client, n })
  })(client, from)
}

/** Does one operation after another, now and then with a pause. `operate` answers how many it did, if not one. */
function repeat(operate: (client: string, n: number, dice: Random) => Promise<number | void>): Client['run'] {
  return async (client, from) => {
    const dice = random.fork(client)
    for (let [n, times] = [from, 0]; times < most; times += 1) {
      n += (await operate(client, n, dice)) ?? 1
      if (dice.int(4) === 0) await wait(1 + dice.int(40))
    }
  }
}

// ---- what goes on beside --------------------------------------------------------------------------------------------

/** Asks for what was acknowledged in earlier lives. */
async function lookAgain(): Promise<void> {
  const lookAt = async (actor: string, ask: Promise<Progress>): Promise<void> => {
    say({ kind: 'progress', actor, progress: await ask })
  }
  const readAccount = (key: string): Promise<void> =>
    lookAt(key, runtime.get(account, key).ask({ type: 'account.read' }, patient))
  // What is read of the relay has been passed on.
  const readRelay = lookAt('relay', runtime.get(relay, 'relay').ask({ type: 'relay.read' }, patient))
  await Promise.all([
    ...['a1', 'a2'].map(readAccount),
    readRelay.then(() => readAccount('relayed')),
    lookAt('alarm', runtime.get(alarm, 'alarm').ask({ type: 'alarm.read' }, patient)),
    ...['o1', 'o2'].map((key) => lookAt(key, runtime.get(order, key).ask({ type: 'order.read' }, patient))),
    ...input.again.map(async (key) => {
      const [client = '', n] = key.split('-')
      const value = await runtime.get(order, orderFor(client)).ask({ type: 'order.pay', client, n: Number(n) }, patient)
      say({ kind: 'again', key, value })
    }),
  ])
}

async function compactSometimes(): Promise<void> {
  const dice = random.fork('compact')
  if (dice.int(2) > 0) return
  await wait(dice.int(12))
  const report = await journal?.compact()
  if ((report?.entriesRemoved ?? 0) > 0) seen('compacted')
}

/** Some doubts are settled at once, some later, and some not in this life. */
function rule(doubt: InDoubt): Resolution | undefined {
  seen('in doubt')
  if (random.fork(doubt.key).int(2) === 0) {
    if (!isAttended) seen('left in doubt')
    return undefined
  }
  seen('settled by a rule')
  return outside.settle(doubt)
}

/** Settles what waits, now and from now on. */
function attend(): void {
  for (const doubt of runtime.inDoubt) if (doubt.settle(outside.settle(doubt))) seen('settled by a person')
  if (!isEnding) void systemClock.setTimeout(attend, 8)
}

function watchFor(watched: Runtime): void {
  let isAfterRestart = Object.keys(input.acknowledged).length > 0
  watched.on('passivated', () => {
    seen('passivated')
  })
  watched.on('recovered', ({ snapshotSeq }) => {
    if (snapshotSeq > 0) seen('recovered from a snapshot')
  })
  watched.on('handled', ({ messageType }) => {
    if (messageType !== 'alarm.ring' || !isAfterRestart) return
    isAfterRestart = false
    seen('timer after a restart')
  })
  watched.on('failed', ({ path, error }) => {
    trouble(path, error)
  })
  watched.on('journal-failed', ({ error }) => {
    trouble('the journal', error)
  })
  watched.on('observer-failed', ({ observer, error }) => {
    trouble(observer, error)
  })
  watched.on('dead-letter', ({ path, reason, messageType, error }) => {
    if (!isEnding) trouble(`${path}, dead letter ${messageType}: ${reason}`, error)
  })
}

function trouble(where: string, error: unknown): void {
  if (isEnding) return
  const code = error instanceof EchelonError ? `${error.code}: ` : ''
  say({ kind: 'trouble', text: `${where}: ${code}${error instanceof Error ? (error.stack ?? '') : String(error)}` })
}

// ---- the end --------------------------------------------------------------------------------------------------------

/** Waits until nothing is open any more, and reports all that is there. */
async function settleEverything(): Promise<void> {
  const alarms = runtime.get(alarm, 'alarm')
  const waiting = (): Promise<number> => alarms.ask({ type: 'alarm.waiting' }, patient)
  const untilMs = systemClock.now() + settleMs
  let timers = await waiting()
  while (timers > 0 && systemClock.now() < untilMs) {
    await wait(5)
    timers = await waiting()
  }
  if (timers > 0) say({ kind: 'unrung', timers })
  for (const client of ['j1', 'j2']) {
    const last = (input.acknowledged[client] ?? 0) + most
    for (let n = 1; n <= last; n += 1) await reportJob(keyOf(client, n))
  }
  await lookAgain()
}

async function reportJob(name: string): Promise<void> {
  const ref = runtime.get(job, name)
  const untilMs = systemClock.now() + settleMs
  let state = await ref.ask({ type: 'job.read' }, patient)
  while (state.ended === 0 && systemClock.now() < untilMs) {
    await wait(5)
    state = await ref.ask({ type: 'job.read' }, patient)
  }
  say({ kind: 'job', name, job: state })
}
