/**
 * The reference workload whose every disk call is made to fail: a fixed row of operations on two durable actors, from an
 * empty folder to a clean end. It begins when it is told to, and says what it begins and what was acknowledged, each
 * before it goes on; see `notes.ts`.
 */
import { once } from 'node:events'
import { createRuntime, EchelonError } from 'echelon'
import { sqliteJournal, type Journal, type JournalSource } from 'echelon/journal'
import { Outside } from '../kill/outside.ts'
import { account, purse } from './actors.ts'
import { Notebook } from './notes.ts'

const [file = '', notes = '', outsideFile = ''] = process.argv.slice(2)
const notebook = new Notebook(notes)
const outside = new Outside(outsideFile, 'the workload')
/** How often something is tried that may succeed later. */
const tries = 3

let journal: Journal | undefined
const source = sqliteJournal(file)
const kept: JournalSource = { ...source, open: async (host) => (journal = await source.open(host)) }
const wallet = purse(outside)

process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdin.destroy()
try {
  await work()
} catch (error) {
  if (!(error instanceof EchelonError)) throw error
  notebook.write({ kind: 'gave up', code: error.code })
}

async function work(): Promise<void> {
  await using runtime = await createRuntime({
    ...{ journal: kept, definitions: [account, wallet], shutdownMs: 2000 },
    onInDoubt: (doubt) => outside.settle(doubt),
  })
  runtime.on('journal-failed', ({ error }) => {
    notebook.write({ kind: 'journal failed', code: error instanceof EchelonError ? error.code : String(error) })
  })
  const tell = (n: number, filling = ''): Promise<void> =>
    step(`tell ${n}`, async () => {
      await runtime.get(account, 'a').tell({ type: 'account.add', n, filling }, { durable: true, id: String(n) })
      return ''
    })
  const pay = (key: string): Promise<void> =>
    step(`pay ${key}`, () => runtime.get(wallet, 'p').ask({ type: 'purse.pay', key }))
  const compact = (): Promise<void> =>
    step('compact', async () => {
      await journal?.compact()
      return ''
    })

  for (let n = 1; n <= 3; n += 1) await tell(n)
  await pay('boat') // more than an entry holds
  await compact()
  await tell(4, 'x'.repeat(6000)) // more than a page holds
  await pay('book')
  await tell(5)
}

/**
 * Does one operation, and again when its error says that this may help. What is refused for good is left: the next one is
 * tried all the same, as a program does that does not listen.
 */
async function step(name: string, operate: () => Promise<string>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    notebook.write({ kind: 'begun', name })
    try {
      const value = await operate()
      notebook.write({ kind: 'acknowledged', name, value })
      return
    } catch (error) {
      if (!(error instanceof EchelonError)) throw error
      notebook.write({ kind: 'refused', name, code: error.code })
      if (error.retryable && attempt < tries) continue
      notebook.write({ kind: 'gave up', code: error.code })
      return
    }
  }
}
