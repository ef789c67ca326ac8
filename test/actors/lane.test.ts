import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Deque } from '../../src/actors/deque.ts'
import { Lane, type Parked } from '../../src/actors/lane.ts'
import type { OverflowPolicy } from '../../src/actors/mailbox.ts'

/** A lane of numbers: negative ones stand for signals of the runtime. */
const isMessage = (item: number): boolean => item >= 0

interface Sender extends Parked<number> {
  readonly item: number
}

/** What a lane is, in the plainest words: arrays. */
class LaneModel {
  readonly queue: number[] = []
  readonly stashed: number[] = []
  readonly postponed: number[] = []
  readonly parked: Sender[] = []
  readonly #capacity: number
  readonly #overflow: OverflowPolicy
  readonly #parkedCapacity: number
  readonly #stashCapacity: number

  constructor(capacity: number, overflow: OverflowPolicy, parkedCapacity: number, stashCapacity: number) {
    this.#capacity = capacity
    this.#overflow = overflow
    this.#parkedCapacity = parkedCapacity
    this.#stashCapacity = stashCapacity
  }

  offer(item: number): unknown {
    if (this.queue.length < this.#capacity && this.parked.length === 0) {
      this.queue.push(item)
      return 'taken'
    }
    const oldest = this.queue.findIndex(isMessage)
    if (this.#overflow !== 'drop-oldest' || oldest === -1) return 'full'
    const [dropped] = this.queue.splice(oldest, 1)
    this.queue.push(item)
    return { dropped }
  }

  park(sender: Sender): boolean {
    if (this.parked.length >= this.#parkedCapacity) return false
    this.parked.push(sender)
    return true
  }

  unpark(sender: Sender): boolean {
    const index = this.parked.indexOf(sender)
    if (index !== -1) this.parked.splice(index, 1)
    return index !== -1
  }

  /** The item, and who was let in for it. */
  shift(): { item: number | undefined; admitted: Sender[] } {
    const item = this.queue.shift()
    const admitted: Sender[] = []
    while (this.parked.length > 0 && this.queue.length < this.#capacity) {
      const sender = this.parked.shift()
      if (sender === undefined) break
      this.queue.push(sender.item)
      admitted.push(sender)
    }
    return { item, admitted }
  }

  setAside(item: number, how: 'stash' | 'postpone'): boolean {
    if (this.stashed.length + this.postponed.length >= this.#stashCapacity) return false
    ;(how === 'stash' ? this.stashed : this.postponed).push(item)
    return true
  }

  putBack(which: 'stash' | 'postpone'): void {
    const items = which === 'stash' ? this.stashed : this.postponed
    this.queue.unshift(...items.splice(0))
  }
}

type Step =
  'offer' | 'force' | 'forceFirst' | 'park' | 'unpark' | 'shift' | 'stash' | 'postpone' | 'unstash' | 'stateChanged'

const steps = fc.array(
  fc.constantFrom<Step>(
    'offer',
    'offer',
    'offer',
    'force',
    'forceFirst',
    'park',
    'unpark',
    'shift',
    'shift',
    'stash',
    'postpone',
    'unstash',
    'stateChanged',
  ),
  { maxLength: 120 },
)

const policy = fc.constantFrom<OverflowPolicy>('reject', 'drop-newest', 'drop-oldest', 'park')
const bound = fc.integer({ min: 1, max: 6 })

describe('a lane', () => {
  test('does what its array model does, for any bounds and any order of steps', () => {
    fc.assert(
      fc.property(policy, bound, bound, bound, steps, (overflow, capacity, parkedCapacity, stashCapacity, script) => {
        const lane = new Lane<number>({ capacity, overflow, parkedCapacity, stashCapacity })
        const model = new LaneModel(capacity, overflow, parkedCapacity, stashCapacity)
        const [admitted, refused]: [number[], number[]] = [[], []]
        let [messages, signals]: [number, number] = [0, 0]
        const newSender = (): Sender => {
          const item = (messages += 1)
          return { item, resolve: () => admitted.push(item), reject: () => refused.push(item) }
        }
        const senders: Sender[] = []
        for (const step of script) {
          if (step === 'offer') {
            const item = (messages += 1)
            expect(lane.offer(item, isMessage)).toEqual(model.offer(item))
          } else if (step === 'force') {
            lane.force((signals -= 1))
            model.queue.push(signals)
          } else if (step === 'forceFirst') {
            lane.forceFirst((signals -= 1))
            model.queue.unshift(signals)
          } else if (step === 'park') {
            const sender = newSender()
            // Senders park only when the lane has refused them.
            if (model.offer(sender.item) === 'full') {
              expect(lane.offer(sender.item, isMessage)).toBe('full')
              expect(lane.park(sender)).toBe(model.park(sender))
              senders.push(sender)
            } else {
              lane.offer(sender.item, isMessage)
            }
          } else if (step === 'unpark') {
            const sender = senders.at(-1)
            if (sender !== undefined) expect(lane.unpark(sender)).toBe(model.unpark(sender))
          } else if (step === 'unstash' || step === 'stateChanged') {
            const which = step === 'unstash' ? 'stash' : 'postpone'
            lane.putBack(which)
            model.putBack(which)
          } else {
            admitted.length = 0
            const expected = model.shift()
            const item = lane.shift()
            expect(item).toBe(expected.item)
            expect(admitted).toEqual(expected.admitted.map((sender) => sender.item))
            if (step !== 'shift' && item !== undefined) {
              const setAside = (): void => {
                lane.setAside(item, step, () => 'here')
              }
              if (model.setAside(item, step)) setAside()
              else expect(setAside).toThrow(expect.objectContaining({ code: 'STASH_FULL' }))
            }
          }
          expect(lane.length).toBe(model.queue.length)
          expect(lane.setAsideCount).toBe(model.stashed.length + model.postponed.length)
          expect(lane.isEmpty).toBe(model.queue.length + model.parked.length + lane.setAsideCount === 0)
          // Invariant 1: the bound holds, apart from signals and from what was put back.
          const forced = model.queue.filter((item) => !isMessage(item)).length
          if (!script.includes('unstash') && !script.includes('stateChanged'))
            expect(lane.length).toBeLessThanOrEqual(capacity + forced)
        }
        const left = [...model.stashed, ...model.postponed, ...model.queue]
        const waiting = model.parked.map((sender) => sender.item)
        expect(lane.drain(() => new Error('over'))).toEqual(left)
        expect(refused).toEqual(waiting)
        expect(lane.isEmpty).toBe(true)
      }),
      { seed: 20260101, numRuns: 2000 },
    )
  })

  test('says once that it fills, and once that it is empty again', () => {
    const lane = new Lane<number>({ capacity: 4, overflow: 'reject', parkedCapacity: 1, stashCapacity: 1 })
    const said: unknown[] = []
    for (let i = 0; i < 4; i += 1) {
      lane.offer(i, isMessage)
      said.push(lane.pressureChange())
    }
    while (lane.shift() !== undefined) said.push(lane.pressureChange())
    expect(said).toEqual([undefined, undefined, 'rising', undefined, undefined, undefined, undefined, 'relieved'])
  })
})

describe('a deque', () => {
  const operations = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom('push', 'unshift'), times: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant('shift'), times: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant('take'), times: fc.integer({ min: 0, max: 30 }) }),
    ),
    { maxLength: 60 },
  )

  test('does what an array does', () => {
    fc.assert(
      fc.property(operations, (script) => {
        const deque = new Deque<number>()
        const model: number[] = []
        let made = 0
        for (const { kind, times } of script) {
          if (kind === 'take') {
            const wanted = model[times % (model.length + 1)]
            const index = model.findIndex((item) => item === wanted)
            expect(deque.take((item) => item === wanted)).toBe(index === -1 ? undefined : model.splice(index, 1)[0])
            continue
          }
          for (let i = 0; i < times; i += 1) {
            made += 1
            if (kind === 'push') {
              deque.push(made)
              model.push(made)
            } else if (kind === 'unshift') {
              deque.unshift(made)
              model.unshift(made)
            } else {
              expect(deque.shift()).toBe(model.shift())
            }
          }
          expect(deque.length).toBe(model.length)
        }
        for (const item of model) expect(deque.shift()).toBe(item)
        expect(deque.shift()).toBeUndefined()
      }),
      { seed: 20260102, numRuns: 500 },
    )
  })

  test('keeps its order over growing far and giving the memory back', () => {
    const deque = new Deque<number>()
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 5000; i += 1) deque.push(i)
      for (let i = 0; i < 5000; i += 1) expect(deque.shift()).toBe(i)
      expect(deque.shift()).toBeUndefined()
    }
  })
})
