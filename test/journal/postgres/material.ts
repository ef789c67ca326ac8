import postgres from 'postgres'
import { systemClock } from '../../../src/core/clock.ts'
import type { JournalHost } from '../../../src/core/journal.ts'

export const host = (node = 'node-a', more: Partial<JournalHost> = {}): JournalHost => ({
  node,
  clock: systemClock,
  ...more,
})

/** What a statement answers, asked over a connection of its own. */
export async function query(url: string, statement: string): Promise<readonly postgres.Row[]> {
  await using session = openSession(url)
  return await session.sql.unsafe(statement)
}

/** A session of the test's own, beside those of a journal. */
export function openSession(url: string): { readonly sql: postgres.Sql } & AsyncDisposable {
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  return { sql, [Symbol.asyncDispose]: () => sql.end() }
}

/** When a session of somebody else waits for a lock of this one. */
export async function untilBlocked(session: { readonly sql: postgres.Sql }): Promise<void> {
  for (;;) {
    const [waiting] = await session.sql`
      SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))`
    if (waiting !== undefined) return
  }
}
