import type { Append, Journal, JournalEntry, JournalSource, Loaded } from '../../../src/core/journal.ts'
import { memoryJournal, type MemoryJournalOptions } from '../../../src/journal/memory.ts'
import { VirtualClock } from 'echelon/testing'

/** A journal in memory whose disk is as slow, full or broken as a test wants it, and whose process can end at any commit. */
export interface Disk {
  readonly journal: JournalSource
  /** Commits that were written. */
  readonly commits: number
  /** Appends that wait for the disk or were tried, in their order. */
  readonly tried: readonly Append[]
  /** Nothing is written until `let go`; appends wait. */
  hold(): void
  /** Writes what waits, `commits` of it at most, and all that comes after when that is not the end of it. */
  letGo(commits?: number): void
  /** Every commit is refused with `error` until `mend`. */
  fail(error: Error): void
  mend(): void
  /** After so many more commits the process is gone: whoever waits for a later one waits for ever. */
  dieAfter(commits: number): void
  /** Whether it died, that is, whether there was a commit too many. */
  readonly isDead: boolean
  /** The next process may write. */
  revive(): void
  /** The process is gone now, with all that it has on its way. The next one finds a disk that works. */
  endProcess(): void
}

export function disk(options: Omit<MemoryJournalOptions, 'beforeCommit'> = {}): Disk {
  let left = Infinity
  let commits = 0
  let failure: Error | undefined
  let isHeld = false
  const tried: Append[] = []
  const waiting: (() => void)[] = []
  let process = 1
  const gone = new Promise<never>(() => undefined)
  const journal = memoryJournal({
    takeOver: true,
    ...options,
    beforeCommit: async (appends) => {
      tried.push(...appends)
      const mine = process
      if (isHeld)
        await new Promise<void>((resolve) => {
          waiting.push(resolve)
        })
      if (mine !== process) await gone
      if (failure !== undefined) throw failure
      left -= 1
      if (left < 0) await gone
      commits += 1
    },
  })
  return {
    journal,
    tried,
    get commits() {
      return commits
    },
    hold: () => {
      isHeld = true
    },
    letGo: (count = Infinity) => {
      if (count === Infinity) isHeld = false
      for (const release of waiting.splice(0, count)) release()
    },
    fail: (error) => {
      failure = error
    },
    mend: () => {
      failure = undefined
    },
    dieAfter: (count) => {
      left = count
    },
    get isDead() {
      return left < 0
    },
    revive: () => {
      left = Infinity
    },
    endProcess: () => {
      process += 1
      left = Infinity
      isHeld = false
      failure = undefined
      waiting.length = 0
    },
  }
}

const host = { node: 'reader', clock: new VirtualClock() }

/** What is on disk of one stream. */
export async function loaded(journal: JournalSource, stream: string): Promise<Loaded> {
  const reader = await journal.openReadOnly(host)
  try {
    return await reader.load(stream)
  } finally {
    await reader.close()
  }
}

/** All entries on disk of one stream. */
export async function entriesOf(journal: JournalSource, stream: string): Promise<readonly JournalEntry[]> {
  const reader = await journal.openReadOnly(host)
  try {
    const entries: JournalEntry[] = []
    for (;;) {
      const page = await reader.read(stream, entries.at(-1)?.seq ?? 0)
      if (page.length === 0) return entries
      entries.push(...page)
    }
  } finally {
    await reader.close()
  }
}

/** What entries say, one word each. */
export const kindsOf = async (journal: JournalSource, stream: string): Promise<readonly string[]> =>
  (await entriesOf(journal, stream)).map(({ kind }) => kind)

/** The wall clock of the next process: time goes on, and no timer of the process before is there any more. */
export const clockAfter = (clock: VirtualClock, laterMs = 0): VirtualClock =>
  new VirtualClock({ epochMs: clock.wallNow() + laterMs })

type Call = 'load' | 'read' | 'due' | 'blob'

/** The same journal, whose readers a test looks at, holds up and lets fail. */
export function observed(source: JournalSource) {
  const calls: Call[] = []
  const appended: Append[] = []
  const held = new Map<Call, (() => void)[]>()
  const failures = new Map<Call, Error>()
  const before = async (call: Call): Promise<void> => {
    calls.push(call)
    const waiting = held.get(call)
    if (waiting !== undefined)
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    const failure = failures.get(call)
    if (failure !== undefined) throw failure
  }
  const watched = (journal: Journal): Journal =>
    new Proxy(journal, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        const call = member.bind(target) as (...args: unknown[]) => unknown
        if (name === 'append')
          return (appends: readonly Append[]) => {
            appended.push(...appends)
            return call(appends)
          }
        if (name !== 'load' && name !== 'read' && name !== 'due' && name !== 'blob') return call
        return async (...args: unknown[]) => {
          await before(name)
          return call(...args)
        }
      },
    })
  return {
    calls,
    /** What was handed over to be written, in its order. */
    appended,
    source: { ...source, open: async (host) => watched(await source.open(host)) } satisfies JournalSource,
    /** The result lets so many go on, or all and all that come. */
    hold: (call: Call) => {
      const waiting: (() => void)[] = []
      held.set(call, waiting)
      return (count = Infinity): void => {
        if (count === Infinity) held.delete(call)
        for (const release of waiting.splice(0, count)) release()
      }
    },
    /** The result mends it. */
    fail: (call: Call, error: Error) => {
      failures.set(call, error)
      return (): void => void failures.delete(call)
    },
  }
}
