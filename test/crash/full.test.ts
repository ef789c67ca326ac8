import { expect, test } from 'vitest'
import { Remote } from './remote/remote.ts'
import { temporaryFolder } from './support/folder.ts'
import { smallDisk, smallDiskOrSkip } from './support/small-disk.ts'

const filling = 'x'.repeat(8000)

test('given a full disk, then durable senders are told, the rest goes on, and with space all goes on in the same process', async (context) => {
  smallDiskOrSkip(context)
  using folder = temporaryFolder()
  using disk = smallDisk(folder, 4 * 1024 * 1024)
  const [journal, options] = [`${disk.path}/app.db`, { outside: folder.file('outside') }]
  const acknowledged: number[] = []
  {
    await using first = new Remote(journal, options)
    const { pid } = first
    const tell = async (n: number): Promise<string> => {
      const code = await first.codeOf({ do: 'tell', key: 'a', n, filling })
      if (code === '') acknowledged.push(n)
      return code
    }
    expect(await first.opened).toMatchObject({ kind: 'up' })
    await first.do({ do: 'tell', key: 'b', n: 1 })
    expect(await tell(1)).toBe('')

    for (let round = 1; round <= 3; round += 1) {
      disk.fill()
      let n = (acknowledged.at(-1) ?? 0) + 1
      // The log may have room that it had before.
      let code = await tell(n)
      while (code === '') code = await tell((n += 1))
      expect(code).toBe('JOURNAL_FULL')
      expect(await tell(n)).toBe('JOURNAL_FULL')

      expect(await first.read('a')).toEqual(acknowledged)
      expect(await first.read('b')).toEqual([1])
      expect(await first.codeOf({ do: 'ping' })).toBe('')
      // To pay is to write.
      expect(['JOURNAL_FULL', 'TARGET_DOWN']).toContain(await first.codeOf({ do: 'pay', key: `round ${round}` }))

      disk.free()
      expect(await tell(n)).toBe('')
      expect(await first.codeOf({ do: 'pay', key: `round ${round}` })).toBe('')
      expect(await first.read('a')).toEqual(acknowledged)
    }
    expect(first.pid).toBe(pid)
  }
  await using second = new Remote(journal, options)
  expect(await second.read('a')).toEqual(acknowledged)
  expect(await second.read('b')).toEqual([1])
})
