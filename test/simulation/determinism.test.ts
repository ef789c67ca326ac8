import { describe, expect, test } from 'vitest'
import { runProcesses } from './campaign/processes.ts'
import { runSlice } from './campaign/slice.ts'
import { laws } from './laws/all.ts'

const rounds = 4
const here = { rounds, seed: 7, first: 0, step: 1, folder: false } as const

describe('determinism', () => {
  test('given worlds of every law, when each is run twice, then it goes the same way', async () => {
    const { findings, worlds } = await runSlice(laws, { ...here, twice: true })

    expect(findings).toEqual([])
    expect(worlds).toBe(rounds * laws.length)
  })

  test.each([['--jitless'], ['--hash-seed=12345']])(
    'given another process with %s, when it runs the same worlds, then their traces are the same to the last byte',
    async (flag) => {
      const own = await runSlice(laws, { ...here, twice: false })

      const other = await runProcesses(laws, { ...here, procs: 1, twice: false, nodeFlags: [flag] })

      expect(other.digest).toBe(own.digest)
    },
  )
})
