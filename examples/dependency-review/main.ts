/** `npm start`: reviews the dependencies of an npm project with a supervised team of actors. See README.md. */
import { randomInt } from 'node:crypto'
import { constants } from 'node:os'
import { systemClock } from 'echelon'

import { readCommandLine, usage } from './command-line.ts'
import { openProject } from './disk.ts'
import { ReviewError } from './errors.ts'
import { ReportFolder } from './report/write.ts'
import { ReviewJournal } from './resume/journal.ts'
import { jsonDisplay } from './show/json-display.ts'
import { textDisplay } from './show/text-display.ts'

const interrupt = new AbortController()
let folder: ReportFolder | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    process.exitCode = 128 + constants.signals[signal]
    if (!interrupt.signal.aborted) {
      interrupt.abort(signal)
      return
    }
    folder?.abandon()
    process.exit()
  })
}

// Whoever reads may go away (`| head`); the report is worth finishing all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const wantsJson = process.argv.includes('--json') // also for an error in the command line itself
const display = wantsJson ? jsonDisplay(process.stdout) : textDisplay(process.stderr, process.stdout)
try {
  const options = readCommandLine(process.argv.slice(2), process.cwd())
  if (options.help) process.stdout.write(usage)
  else {
    const disk = await openProject(options.input)
    folder = await ReportFolder.open(options.out)
    const seed = options.seed ?? randomInt(2 ** 31)
    const journal = new ReviewJournal(folder.path, options.journal)
    const opening = journal.open(systemClock, seed, options.fresh)
    opening.catch(() => undefined) // told to whoever waits for it
    // Most of the program is loaded while the thread of the journal starts: that takes as long.
    const { review } = await import('./review.ts')
    const services = { disk, folder, journal, opening, display, clock: systemClock }
    await review({ options, seed, ...services, interrupt: interrupt.signal })
  }
} catch (error) {
  const known = error instanceof ReviewError
  const message = error instanceof Error ? error.message : String(error)
  display.failed(known ? error.code : 'FAILED', known && error.code === 'USAGE' ? `${message}. Try --help` : message)
  process.exitCode = known ? error.exitCode : 1
}
