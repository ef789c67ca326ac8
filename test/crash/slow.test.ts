import { expect, test } from 'vitest'
import { Remote } from './remote/remote.ts'
import { temporaryFolder } from './support/folder.ts'
import { attachStrace, strace } from './support/strace.ts'

/** What a sync of the disk takes, all at once. */
const slowMs = 3000
/** Milliseconds that the event loop may be late meanwhile, on a machine that has other things to do. */
const lateMs = 500

test('given a disk whose sync takes 3 s, then the event loop is not held up, and what writes nothing is answered', async (context) => {
  strace.orSkip(context)
  using folder = temporaryFolder()
  const journal = folder.file('app.db')
  await using remote = new Remote(journal, { outside: folder.file('outside') })
  expect(await remote.opened).toMatchObject({ kind: 'up' })
  const delay = (call: string): readonly string[] => ['-e', `inject=${call}:delay_enter=${slowMs * 1000}:when=5`]
  await attachStrace(remote.pid, [
    ...['-f', '-o', folder.file('trace'), '-P', journal, '-P', `${journal}-wal`],
    ...['-e', 'trace=fsync,fdatasync', ...delay('fsync'), ...delay('fdatasync')],
  ])
  await remote.do({ do: 'tell', key: 'b', n: 1 })
  await remote.do({ do: 'lateness' })

  let isDone = false
  const tells = (async () => {
    const times: number[] = []
    for (let n = 1; n <= 30 && Math.max(0, ...times) < slowMs; n += 1)
      times.push((await remote.do({ do: 'tell', key: 'a', n })).ms)
    isDone = true
    return times
  })()
  const answers: number[] = []
  while (!isDone) {
    const [ping, read] = await Promise.all([remote.do({ do: 'ping' }), remote.do({ do: 'read', key: 'b' })])
    answers.push(ping.ms, read.ms)
  }
  const lateness = Number((await remote.do({ do: 'lateness' })).value)

  expect(Math.max(...(await tells))).toBeGreaterThanOrEqual(slowMs)
  expect(answers.length).toBeGreaterThan(100)
  expect(Math.max(...answers)).toBeLessThan(slowMs / 2)
  expect(lateness).toBeLessThan(lateMs)
})
