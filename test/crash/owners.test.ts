import { expect, test } from 'vitest'
import { systemClock } from 'echelon'
import { sqliteJournal } from 'echelon/journal'
import { Remote } from './remote/remote.ts'
import { temporaryFolder } from './support/folder.ts'
import { wait } from './support/programs.ts'

test('given a process that writes to a journal, when another opens it, then it is refused with the pid of the first', async () => {
  using folder = temporaryFolder()
  const [journal, options] = [folder.file('app.db'), { outside: folder.file('outside') }]
  await using first = new Remote(journal, options)
  expect(await first.opened).toMatchObject({ kind: 'up' })
  await using second = new Remote(journal, options)
  expect(await second.opened).toMatchObject({ kind: 'refused', code: 'JOURNAL_LOCKED', ownerPid: first.pid })

  await first.do({ do: 'tell', key: 'a', n: 1 })
  await first.kill()

  await using third = new Remote(journal, options)
  expect(await third.opened).toMatchObject({ kind: 'up' })
  expect(await third.read('a')).toEqual([1])
})

test('given a process that was paused, when another has taken over, then all that the first writes is refused', async () => {
  using folder = temporaryFolder()
  const [journal, outside] = [folder.file('app.db'), folder.file('outside')]
  await using first = new Remote(journal, { outside })
  await first.do({ do: 'tell', key: 'a', n: 1 })
  await first.do({ do: 'pay', key: 'book' })
  first.signal('SIGSTOP')

  await using second = new Remote(journal, { outside, how: 'take over' })
  expect(await second.opened).toMatchObject({ kind: 'up' })
  await second.do({ do: 'tell', key: 'a', n: 2 })

  // What it is told while it is paused, it reads when it goes on.
  const late = [
    first.codeOf({ do: 'tell', key: 'a', n: 666 }),
    first.codeOf({ do: 'tell', key: 'new', n: 667 }),
    first.codeOf({ do: 'pay', key: 'boat' }),
  ]
  first.signal('SIGCONT')
  const [toKnown, toNew, asked] = await Promise.all(late)
  expect([toKnown, toNew]).toEqual(['JOURNAL_FENCED', 'JOURNAL_FENCED'])
  expect(['JOURNAL_FENCED', 'TARGET_DOWN']).toContain(asked)
  expect(await first.journalFailed).toBe('JOURNAL_FENCED')
  // It stays fenced, and says so every time.
  expect(await first.codeOf({ do: 'tell', key: 'a', n: 668 })).toBe('JOURNAL_FENCED')
  expect(await first.codeOf({ do: 'ping' })).toBe('')

  await second.do({ do: 'tell', key: 'a', n: 3 })
  expect(await second.read('a')).toEqual([1, 2, 3])
  await first.kill()
  await second.do({ do: 'shut down' })
  const reader = await sqliteJournal(journal).openReadOnly({ node: 'reader', clock: systemClock })
  const streams = await reader.list()
  expect(streams.map(({ stream }) => stream)).toEqual(['/durable/account/a', '/durable/purse/p'])
  const bodies = await Promise.all(streams.map(({ stream }) => reader.read(stream, 0)))
  expect(bodies.flat().filter(({ body }) => /"n":66|boat/.test(body))).toEqual([])
  expect((await reader.verify()).problems).toEqual([])
  await reader.close()
})

test('given a process that is paused under load, when another takes over, then what was acknowledged is there and nothing else', async () => {
  using folder = temporaryFolder()
  const [journal, outside] = [folder.file('app.db'), folder.file('outside')]
  await using first = new Remote(journal, { outside })
  await first.do({ do: 'tell', key: 'a', n: 1 })
  const load = first.do({ do: 'tell on', key: 'a', n: 2 })
  await using second = await takeOver(first, () => new Remote(journal, { outside, how: 'take over' }))
  await second.do({ do: 'tell', key: 'a', n: 100_000 })
  first.signal('SIGCONT')

  const { last, code } = (await load).value as { readonly last: number; readonly code: string } // what the load answers
  expect(code).toBe('JOURNAL_FENCED')
  expect(await first.journalFailed).toBe('JOURNAL_FENCED')
  const numbers = await second.read('a')
  expect(numbers.at(-1)).toBe(100_000)
  const ofFirst = numbers.slice(0, -1)
  expect(ofFirst).toEqual(Array.from(ofFirst, (_, i) => i + 1))
  // The last one may be there without its acknowledgement, and no more than that.
  expect([last, last + 1]).toContain(ofFirst.length)
})

/** Pauses a process and starts another in its place. One that is paused in the middle of a write lets nobody write: it goes on. */
async function takeOver(first: Remote, begin: () => Remote): Promise<Remote> {
  for (;;) {
    await wait(50)
    first.signal('SIGSTOP')
    const second = begin()
    const opened = await second.opened
    if (opened.kind === 'up') return second
    expect(['JOURNAL_FAILED', 'JOURNAL_LOCKED']).toContain(opened.code)
    await second.kill()
    first.signal('SIGCONT')
  }
}
