import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { repositoryFile } from './run-example.ts'

interface Service {
  readonly process: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  hash(body: unknown): Promise<Response>
}

const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

async function startService(env: Record<string, string> = {}): Promise<Service> {
  const child = spawn(
    process.execPath,
    ['--conditions=echelon-source', repositoryFile('examples/05-embedded-service/main.ts')],
    {
      env: { ...process.env, NODE_OPTIONS: '', PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  started.push(child)
  const ended = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => ({
    code: typeof code === 'number' ? code : null,
    signal: typeof signal === 'string' ? signal : null,
  }))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const url = /http:\/\/127\.0\.0\.1:\d+$/.exec(line)?.[0]
  if (url === undefined) throw new Error(`the service said: ${line}`)
  const hash = (body: unknown): Promise<Response> =>
    fetch(`${url}/hash`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
  return { process: child, ended, hash }
}

async function refusesConnections(service: Service): Promise<void> {
  for (;;) {
    const answered = await service.hash({}).then(
      () => true,
      () => false,
    )
    if (!answered) return
  }
}

async function firstWithStatus(status: number, requests: readonly Promise<Response>[]): Promise<Response> {
  return Promise.any(
    requests.map(async (request) => {
      const response = await request
      if (response.status === status) return response
      throw new Error(`the answer is ${response.status}`)
    }),
  )
}

/**
 * How requests fail that the service never read. What the kernel accepted for it, and it had not yet, is reset when it
 * closes its socket. A request that it did read has the answer counted above.
 */
const neverRead: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'])

/** `fetch` says what happened to the connection in the cause of its error. */
function codeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause ? cause.code : error
}

const password = 'correct horse'

test('given the service, when it is asked well and badly, then typed errors become status codes', async () => {
  const service = await startService()

  const good = await service.hash({ password, rounds: 1 })
  const wrong = await service.hash({ password: 'short', rounds: 1 })
  const malformed = await service.hash('{')

  expect([good.status, await good.json()]).toEqual([
    200,
    { hash: expect.stringMatching(/^scrypt:.{24}:.{44}$/) as string },
  ])
  expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('password: Too small')])
  expect([malformed.status, await malformed.text()]).toEqual([400, expect.stringContaining('rounds: Invalid input')])
})

test('given a deadline that is too short, when a hash is asked for, then the answer is 504', async () => {
  const service = await startService({ TIMEOUT_MS: '1' })

  expect((await service.hash({ password, rounds: 1 })).status).toBe(504)
})

test('given a full mailbox and answers on their way, when SIGTERM comes, then the rest was told to retry and those finish', async () => {
  const service = await startService({ TIMEOUT_MS: '60000' }) // no answer is late, however busy the machine
  const requests = Array.from({ length: 24 }, () => service.hash({ password, rounds: 1 }))

  const refused = await firstWithStatus(503, requests) // so the mailbox is full: five are being answered
  service.process.kill('SIGTERM')
  const outcomes = await Promise.allSettled(requests)

  expect(refused.headers.get('retry-after')).toBe('1')
  const statuses = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.status] : []))
  expect(new Set(statuses)).toEqual(new Set([200, 503]))
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(5)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [codeOf(outcome.reason)] : []))
  expect(failures.filter((code) => !neverRead.has(code))).toEqual([])
  expect(await service.ended).toEqual({ code: 0, signal: null })
})

test('given a shutdown that waits for an answer, when a second SIGTERM comes, then the process ends at once', async () => {
  const service = await startService({ TIMEOUT_MS: '60000' })
  const requests = Array.from({ length: 24 }, () => service.hash({ password, rounds: 8 }).catch(() => undefined))

  await Promise.race(requests)
  service.process.kill('SIGTERM')
  await refusesConnections(service) // it has begun to drain
  service.process.kill('SIGTERM')

  expect((await service.ended).signal).toBe('SIGTERM')
  await Promise.all(requests)
})
