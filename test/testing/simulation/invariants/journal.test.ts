import { describe, expect, test } from 'vitest'
import { durableMessages } from '../../../../src/testing/simulation/invariants/durable-messages.ts'
import { effects } from '../../../../src/testing/simulation/invariants/effects.ts'
import { recovery } from '../../../../src/testing/simulation/invariants/recovery.ts'
import { begin, entries, event, nodeWithDisk, stream } from './world.ts'

describe('I2', () => {
  test('given a message that was taken, when it is taken again within the window, then that is wrong', () => {
    const [probe, node] = [begin(durableMessages), nodeWithDisk()]
    probe.written?.(node, entries(0, ['received', { id: 'a' }], ['handled', { of: 1, id: 'a' }]))

    expect(() => probe.written?.(node, entries(2, ['received', { id: 'a' }]))).toThrow('took message a twice')
  })

  test('given as many newer ids as the window has, when the message is taken again, then it is a new one', () => {
    const [probe, node] = [begin(durableMessages), nodeWithDisk()]
    const ids = ['a', 'b', 'c']
    ids.forEach((id, n) =>
      probe.written?.(node, entries(n * 2, ['received', { id }], ['handled', { of: n * 2 + 1, id }])),
    )

    probe.written?.(node, entries(6, ['received', { id: 'a' }], ['handled', { of: 7, id: 'a' }]))

    expect(probe.quiet?.()).toBeUndefined()
  })

  test('given a message that is tried again, when it is given up and taken in one append, then that is right', () => {
    const [probe, node] = [begin(durableMessages), nodeWithDisk()]
    probe.written?.(node, entries(0, ['received', { id: 'a' }]))
    probe.written?.(node, entries(1, ['failed', { of: 1, id: 'a' }], ['received', { id: 'a' }]))

    probe.written?.(node, entries(3, ['handled', { of: 3, id: 'a' }]))

    expect(() => probe.written?.(node, entries(4, ['handled', { of: 3, id: 'a' }]))).toThrow('twice')
  })

  test('given an acknowledged message, when it is not on disk, or not handled in the end, then that is wrong', () => {
    const [probe, node] = [begin(durableMessages), nodeWithDisk()]
    expect(() => probe.acknowledged?.(node, stream, 'a')).toThrow('is not on disk')
    probe.written?.(node, entries(0, ['received', { id: 'a' }]))
    probe.acknowledged?.(node, stream, 'a')

    expect(probe.quiet?.()).toContain('is not handled when all is quiet')
  })
})

describe('I3', () => {
  test('given an effect that succeeded, when it is begun again, then that is wrong', () => {
    const [probe, node] = [begin(effects), nodeWithDisk()]
    probe.written?.(node, entries(0, ['intent', { key: 'pay' }], ['outcome', { key: 'pay', value: 1 }]))

    expect(() => probe.written?.(node, entries(2, ['intent', { key: 'pay' }]))).toThrow('begins effect pay again')
  })

  test.each([
    ['that failed', [['outcome', { key: 'pay', error: {} }]]],
    [
      'with as many newer ones as the window has',
      [
        ['outcome', { key: 'pay' }],
        ['intent', { key: 'b' }],
        ['outcome', { key: 'b' }],
        ['intent', { key: 'c' }],
        ['outcome', { key: 'c' }],
      ],
    ],
  ] as const)('given an effect %s, when it is begun again, then that is right', (_, written) => {
    const [probe, node] = [begin(effects), nodeWithDisk()]
    probe.written?.(node, entries(0, ['intent', { key: 'pay' }], ...written))

    expect(() => probe.written?.(node, entries(9, ['intent', { key: 'pay' }]))).not.toThrow()
  })

  test('given no intent, when there is an outcome, then that is wrong', () => {
    const [probe, node] = [begin(effects), nodeWithDisk()]

    expect(() => probe.written?.(node, entries(0, ['outcome', { key: 'pay' }]))).toThrow('was not begun')
  })
})

describe('I10', () => {
  test('given a stream, when its actor comes back with fewer entries than there are, then that is wrong', () => {
    const [probe, node] = [begin(recovery), nodeWithDisk()]
    node.disk.store.write(entries(0, ['created', {}], ['handled', {}]))

    expect(() => probe.event?.(event('recovered', stream, { entries: 1, snapshotSeq: 0 }), node)).toThrow(
      'with 1 entries, and there are 2',
    )
    expect(() => probe.event?.(event('recovered', stream, { entries: 1, snapshotSeq: 1 }), node)).not.toThrow()
  })
})
