#!/usr/bin/env node
import { constants } from 'node:os'
import { systemClock } from '../core/clock.ts'
import { EndedError, exitCodes } from './host.ts'
import { streamOutput } from './output.ts'
import { run } from './program.ts'

const ending = new AbortController()
// Once: a second signal ends the process at once.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(name, () => {
    ending.abort(new EndedError(128 + constants.signals[name]))
  })
const out = streamOutput(process, systemClock.now, () => {
  ending.abort(new EndedError(exitCodes.outputClosed))
})
process.exitCode = await run(process.argv.slice(2), { out, clock: systemClock, signal: ending.signal })
