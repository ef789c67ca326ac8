import { serve } from '@hono/node-server'
import { createRuntime, EchelonError } from 'echelon'
import { Hono } from 'hono'
import type * as z from 'zod'
import { hasher, type hashRequest } from './hasher.ts'

type HashRequest = z.input<typeof hashRequest>
const { PORT = '3000', TIMEOUT_MS = '5000' } = process.env

const statusOf = new Map<string, 400 | 503 | 504>([
  ['MESSAGE_INVALID', 400],
  ['MAILBOX_FULL', 503],
  ['RUNTIME_CLOSED', 503],
  ['ASK_TIMEOUT', 504],
])

const runtime = await createRuntime({ node: 'hashes', signals: true }) // SIGTERM drains, a second one ends at once
const ref = runtime.spawn(hasher, { name: 'hasher' })

const app = new Hono()
app.post('/hash', async (c) => {
  // Whatever came in: the actor's protocol says what is wrong with it.
  const body = await c.req.json<HashRequest>().catch(() => ({}) as HashRequest)
  const hash = await ref.ask(
    { ...body, type: 'hash.make' },
    { timeoutMs: Number(TIMEOUT_MS), signal: c.req.raw.signal },
  )
  return c.json({ hash })
})
app.onError((error, c) => {
  const status = error instanceof EchelonError ? statusOf.get(error.code) : undefined
  if (status === 503) c.header('Retry-After', '1')
  return c.json({ error: status === undefined ? 'internal error' : error.message }, status ?? 500)
})

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(PORT) }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}`)
})
// Requests that are being answered finish before anything stops.
runtime.onShutdown('stop-accepting', 'http', () => new Promise((done) => server.close(() => done())))
