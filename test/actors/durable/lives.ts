import { createTestRuntime, type VirtualClock, type TestRuntime, type TestRuntimeOptions } from 'echelon/testing'
import { clockAfter, disk, type Disk } from './disk.ts'

export interface Lives extends Omit<TestRuntimeOptions, 'journal' | 'clock'> {
  /** What the first process is asked to do. What it waits for may never come. */
  readonly act: (first: TestRuntime) => void | Promise<void>
  /** Milliseconds that the first process has. Default 0. */
  readonly livesMs?: number
  /** Looks at the process after it, which lives on. `isWhole`: the first one had done everything when it ended. */
  readonly check: (next: TestRuntime, life: { readonly isWhole: boolean; readonly disk: Disk }) => Promise<void>
  /** What the world forgets between two rounds. */
  readonly begin?: () => void
}

/**
 * Lets one process end after each number of commits, from none to all that it makes, and another one go on from what is
 * on disk then. Answers the number of all.
 */
export async function atEveryCommit({ act, livesMs = 0, check, begin, ...options }: Lives): Promise<number> {
  for (let commits = 0; ; commits += 1) {
    begin?.()
    const world = disk()
    world.dieAfter(commits)
    const first = await createTestRuntime({ ...options, journal: world.journal })
    await act(first)
    await first.advance(livesMs)
    const isWhole = !world.isDead
    world.revive()
    await using next = await createTestRuntime({
      ...options,
      journal: world.journal,
      clock: clockAfter(first.clock),
    })
    await next.settle()
    try {
      await check(next, { isWhole, disk: world })
    } catch (error) {
      throw new Error(`after ${commits} commits: ${String(error)}`, { cause: error })
    }
    if (isWhole) return commits
  }
}

/** A process that is gone without a word: what it has on its way never reaches the disk. */
export async function killed(
  { journal, dieAfter, revive }: Disk,
  act: (t: TestRuntime) => unknown,
  options: Omit<TestRuntimeOptions, 'journal'> = {},
): Promise<VirtualClock> {
  const t = await createTestRuntime({ ...options, journal })
  await act(t)
  await t.settle()
  dieAfter(0)
  // The next process takes the journal over, and this one can write nothing more.
  await (await journal.open({ node: 'next', clock: t.clock })).close()
  revive()
  return clockAfter(t.clock)
}
