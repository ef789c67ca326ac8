import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { chaosProcess } from '../../../src/testing/chaos/process.ts'
import { chaosProxy } from '../../../src/testing/chaos/proxy.ts'
import { chaosSchedule } from '../../../src/testing/chaos/schedule.ts'
import { constant } from '../../../src/testing/load/arrival.ts'
import { loadTest } from '../../../src/testing/load/load-test.ts'
import { formatLoadReport } from '../../../src/testing/load/report.ts'

/** A service that sends back what it gets, on a port that stays the same over restarts. */
const service = `
  require('node:net')
    .createServer((socket) => socket.on('error', () => {}).pipe(socket))
    .listen(Number(process.argv[1]), '127.0.0.1', () => console.log('ready'))
`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on TCP has an address with a port.
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** One request over a connection of its own; rejects as connections do. */
async function call(port: number, text: string, signal: AbortSignal): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' })
  signal.addEventListener('abort', () => socket.destroy(new Error('given up')))
  socket.end(text)
  let answer = ''
  for await (const bytes of socket) answer += String(bytes)
  if (answer !== text) throw new Error(`answered '${answer}' to '${text}'`)
}

test('given a service that is killed and cut off under load, when it is left alone, then it is back, and all is accounted for', async () => {
  const port = await freePort()
  await using child = await chaosProcess(process.execPath, ['-e', service, String(port)], { ready: 'ready' })
  await using proxy = await chaosProxy({ target: port, seed: 1 })
  await using chaos = chaosSchedule(
    [
      { name: 'kill', start: () => child.restart() },
      { name: 'cut', start: () => proxy.cut() },
      {
        name: 'partition',
        start: () => {
          proxy.partition()
        },
        end: () => {
          proxy.heal()
        },
        lastsMs: [50, 150],
      },
    ],
    { seed: 7, durationMs: 700, everyMs: 60 },
  )
  const result = await loadTest(
    { name: 'service', request: (_context, { n, signal }) => call(proxy.port, `request ${n}`, signal) },
    {
      arrival: constant(100),
      duration: 2000,
      pointMs: 200,
      deadlineMs: 1000,
      slo: { recoverWithinMs: 1000, recoverFromMs: 800 },
    },
  )
  const { done, planned } = await chaos.done
  expect(new Set(planned.map(({ action }) => action))).toEqual(new Set(['kill', 'cut', 'partition']))
  expect(done.map(({ action, error }) => [action, error])).toEqual(planned.map(({ action }) => [action, undefined]))
  expect(child.starts).toBe(1 + planned.filter(({ action }) => action === 'kill').length)
  expect(result.total.offered).toBe(200)
  expect(result.total.failed).toBeGreaterThan(0)
  expect(result.verdict, formatLoadReport(result)).toBe('pass')
})
