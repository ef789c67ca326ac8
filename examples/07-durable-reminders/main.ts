import path from 'node:path'
import { createRuntime, systemClock, type Clock } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { clerk } from './clerk.ts'
import { invoice } from './invoice.ts'

const [folder = '.', command = 'look'] = process.argv.slice(2)

/** The clock of this machine, set to NOW if there is one: so that two weeks can be seen without waiting for them. */
const { NOW } = process.env
const aheadMs = NOW === undefined ? 0 : Date.parse(NOW) - systemClock.wallNow()
const clock: Clock = { ...systemClock, wallNow: () => systemClock.wallNow() + aheadMs }

const runtime = await createRuntime({
  journal: sqliteJournal(path.join(folder, 'office.db')),
  definitions: [invoice, clerk], // whoever has something due is brought back, without being asked for
  clock,
  signals: true,
})
const first = runtime.get(invoice, 'invoice-1')
if (command === 'send') await runtime.get(clerk, 'office').tell({ type: 'clerk.begin' }, { durable: true, id: 'begin' })
if (command === 'pay') await first.tell({ type: 'invoice.pay' }, { durable: true, id: 'paid' })
console.log(`invoice-1 was ${await first.ask({ type: 'invoice.status' })}`)
first.select(({ value }) => value).subscribe((value) => console.log(`invoice-1 is ${value}`))
