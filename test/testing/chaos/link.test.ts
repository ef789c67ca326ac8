import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from 'echelon/testing'
import { seededRandom } from '../../../src/core/random.ts'
import { Link, noFaults, type LinkFaults } from '../../../src/testing/chaos/link.ts'

/** A link whose ends are a test. */
class World {
  readonly clock = new VirtualClock()
  readonly out: [atMs: number, text: string][] = []
  faults: LinkFaults = noFaults
  takes = true
  readonly link: Link

  constructor(faults: Partial<LinkFaults> = {}, seed = 1) {
    this.faults = { ...noFaults, ...faults }
    const note = (what: string) => () => {
      this.out.push([this.clock.now(), what])
    }
    this.link = new Link(this.clock, seededRandom(seed), () => this.faults, {
      write: (bytes) => {
        this.out.push([this.clock.now(), Buffer.from(bytes).toString()])
        return this.takes
      },
      end: note('<end>'),
      reset: note('<reset>'),
      hold: note('<hold>'),
      release: note('<release>'),
    })
  }

  push(text: string): void {
    this.link.push(Buffer.from(text))
  }

  change(faults: Partial<LinkFaults>): void {
    this.faults = { ...this.faults, ...faults }
    this.link.pass()
  }

  get text(): string {
    return this.out.map(([, text]) => text).join('')
  }
}

describe('one direction', () => {
  test('given no fault, when bytes come, then they pass at once, and so does the end', () => {
    const world = new World()
    world.push('a')
    world.push('b')
    world.link.finish()
    expect(world.out).toEqual([
      [0, 'a'],
      [0, 'b'],
      [0, '<end>'],
    ])
  })

  test('given latency, when bytes and the end come, then each is that much later', () => {
    const world = new World({ latencyMs: 100 })
    world.push('a')
    world.clock.advanceBy(30)
    world.push('b')
    world.link.finish()
    world.clock.advanceBy(1000)
    expect(world.out).toEqual([
      [100, 'a'],
      [130, 'b'],
      [130, '<end>'],
    ])
  })

  test('given jitter, when many come, then delays differ within its bounds, the order stays, and the seed decides', () => {
    const run = (seed: number): World['out'] => {
      const world = new World({ latencyMs: 10, jitterMs: 20 }, seed)
      for (let i = 0; i < 50; i += 1) {
        world.push(String.fromCharCode(65 + i))
        world.clock.advanceBy(5)
      }
      world.clock.advanceBy(100)
      return world.out
    }
    const out = run(1)
    expect(out.map(([, text]) => text.charCodeAt(0) - 65)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    const delays = out.map(([atMs], i) => atMs - i * 5)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10)
    expect(Math.max(...delays)).toBeLessThan(30)
    expect(new Set(delays).size).toBeGreaterThan(20)
    expect(run(1)).toEqual(out)
    expect(run(2)).not.toEqual(out)
  })

  test('given 1000 bytes a second, when 500 come at once, then the last has left the link after half a second', () => {
    const world = new World({ bytesPerSecond: 1000 })
    world.push('x'.repeat(500))
    world.clock.advanceBy(1000)
    expect(world.out).toHaveLength(50)
    expect(world.out.at(-1)).toEqual([490, 'xxxxxxxxxx'])
  })

  test('given a slow link that was stalled, when it flows again, then it is as slow as before and does not catch up', () => {
    const world = new World({ bytesPerSecond: 1000 })
    world.push('x'.repeat(100))
    world.clock.advanceBy(15)
    world.change({ isStalled: true })
    world.clock.advanceBy(10_000)
    const before = world.text.length
    world.change({ isStalled: false })
    world.clock.advanceBy(35)
    expect(before).toBe(20)
    expect(world.text.length).toBe(60)
  })

  test('given small chunks, when bytes come, then they are taken apart and none is lost', () => {
    const world = new World({ chunkBytes: 3 })
    const sent = 'abcdefghijklmnopqrstuvwxyz'.repeat(4)
    world.push(sent)
    world.clock.advanceBy(1000)
    expect(world.text).toBe(sent)
    expect(new Set(world.out.map(([, { length }]) => length))).toEqual(new Set([1, 2, 3]))
    expect(new Set(world.out.map(([atMs]) => atMs)).size).toBe(world.out.length)
  })

  test('given a stall, when bytes, an end or a reset come, then nobody is told until it flows', () => {
    const world = new World({ isStalled: true })
    world.push('a')
    world.link.finish()
    world.clock.advanceBy(10_000)
    expect(world.out).toEqual([])
    world.change({ isStalled: false })
    expect(world.out).toEqual([
      [10_000, 'a'],
      [10_000, '<end>'],
    ])
    const reset = new World({ isStalled: true })
    reset.push('a')
    reset.link.abort()
    expect(reset.out).toEqual([])
    reset.change({ isStalled: false })
    expect(reset.out).toEqual([[0, '<reset>']])
  })

  test('given a receiver that takes no more, when it has drained, then the rest follows', () => {
    const world = new World()
    world.takes = false
    world.push('a')
    world.push('b')
    expect(world.text).toBe('a')
    world.link.drained()
    expect(world.text).toBe('ab')
  })

  test('given more than a network holds, when a link is stalled, then the sender is held until half has passed', () => {
    const world = new World({ isStalled: true })
    const part = 'x'.repeat(300_000)
    for (let i = 0; i < 4; i += 1) world.push(part)
    expect(world.out).toEqual([[0, '<hold>']])
    world.change({ isStalled: false })
    expect(world.out.map(([, text]) => (text.startsWith('<') ? text : text.length))).toEqual([
      '<hold>',
      300_000,
      300_000,
      300_000,
      '<release>',
      300_000,
    ])
  })

  test('given a link that is closed, when time passes, then nothing comes out and no timer is left', () => {
    const world = new World({ latencyMs: 100 })
    world.push('a')
    world.link.close()
    world.push('b')
    world.link.finish()
    world.clock.advanceBy(1000)
    expect(world.out).toEqual([])
    expect(world.clock.pending).toBe(0)
  })
})

test('given any faults that change at any time, when all end, then what came out is what went in', () => {
  const faults = fc.record(
    {
      latencyMs: fc.nat(50),
      jitterMs: fc.nat(50),
      bytesPerSecond: fc.constantFrom(100, 5000, Infinity),
      chunkBytes: fc.constantFrom(1, 7, Infinity),
      isStalled: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const step = fc.oneof(
    fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme-ascii' }).map((push) => ({ push })),
    faults.map((change) => ({ change })),
    fc.nat(100).map((ms) => ({ ms })),
    fc.boolean().map((takes) => ({ takes })),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = new World()
      let sent = ''
      for (const it of steps) {
        if ('push' in it) {
          sent += it.push
          world.push(it.push)
        } else if ('change' in it) world.change(it.change)
        else if ('ms' in it) world.clock.advanceBy(it.ms)
        else {
          world.takes = it.takes
          if (it.takes) world.link.drained()
        }
      }
      world.takes = true
      world.link.finish()
      world.change(noFaults)
      world.link.drained()
      world.clock.advanceBy(20_000)
      expect(world.text).toBe(`${sent}<end>`)
      expect(world.clock.pending).toBe(0)
    }),
    { numRuns: 150 },
  )
})
