import fc from 'fast-check'
import { expect, test } from 'vitest'

import type { PlannedExamination } from '../../../examples/dependency-review/plan.ts'
import { blankEntry } from '../../../examples/dependency-review/inventory/package-entry.ts'
import { WorkQueue } from '../../../examples/dependency-review/team/work-queue.ts'

const plan = (count: number): PlannedExamination[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `p${index}`,
    assignment: {
      project: { name: 'demo', version: null, licence: null, enginesNode: null, installed: true },
      entry: {
        ...blankEntry,
        path: `node_modules/p${index}`,
        name: `p${index}`,
        declaredAt: { file: 'package-lock.json', line: 1 },
      },
      copies: [],
    },
  }))

const resultOf = (planned: PlannedExamination) => ({
  planned,
  examination: { facts: {}, findings: [], unexamined: [] },
})
const worker = (path: string) => ({ path })

test('given no plan, when asked, then it is not done; with an empty plan it is', () => {
  const queue = new WorkQueue()
  queue.free(worker('w'))
  expect([[...queue.assign()].length, queue.isDone]).toEqual([0, false])
  queue.add([])
  expect(queue.isDone).toBe(true)
})

test('given a worker that is lost, when its task is tried again, then it comes before what was never tried', () => {
  const queue = new WorkQueue()
  queue.add(plan(3))
  queue.free(worker('w'))
  expect([...queue.assign()].map(({ task }) => task.planned.key)).toEqual(['p0'])
  const task = queue.lose(worker('w'))
  if (task !== undefined) queue.retry({ ...task, attempt: 2 })
  queue.free(worker('w'))
  expect([...queue.assign()].map(({ task: { planned, attempt } }) => [planned.key, attempt])).toEqual([['p0', 2]])
})

test('given a worker that answered and was lost before the answer was read, when both come, then nothing is done twice', () => {
  const queue = new WorkQueue()
  const [planned] = plan(1)
  if (planned === undefined) throw new Error('no plan')
  queue.add([planned])
  queue.free(worker('w'))
  Array.from(queue.assign())
  const task = queue.lose(worker('w'))
  if (task !== undefined) queue.retry(task)
  queue.finish(worker('w'), resultOf(planned))
  queue.finish(worker('w'), resultOf(planned))
  expect(queue.take().map(({ planned: { key } }) => key)).toEqual(['p0'])
})

test('given what was found, when it is taken, then it is taken once, and done when it is kept', () => {
  const queue = new WorkQueue()
  queue.add(plan(2), 5)
  for (const path of ['a', 'b']) queue.free(worker(path))
  const [first, second] = [...queue.assign()].map(({ task }) => resultOf(task.planned))
  if (first === undefined || second === undefined) throw new Error('no plan')
  expect([queue.kept, queue.total, queue.isEnding]).toEqual([5, 7, false])
  queue.finish(worker('a'), first)
  expect([queue.take(), queue.take(), queue.isEnding]).toEqual([[first], [], false])
  queue.finish(worker('b'), second)
  expect([queue.take(), queue.isEnding, queue.isDone]).toEqual([[second], true, false])
  queue.keep(6)
  expect([queue.kept, queue.isDone]).toEqual([6, false])
  queue.keep(7)
  expect(queue.isDone).toBe(true)
})

test('given a cancelled queue, when workers are free or lost, then nothing is begun', () => {
  const queue = new WorkQueue()
  queue.add(plan(5))
  queue.free(worker('a'))
  const [assigned] = [...queue.assign()]
  queue.cancel()
  const task = queue.lose(worker('a'))
  expect(task).toEqual(assigned?.task)
  if (task !== undefined) queue.retry(task)
  queue.free(worker('b'))
  expect([[...queue.assign()].length, queue.isDone, queue.isEnding]).toEqual([0, false, true])
})

test('given any order of answers and crashes, when all is over, then every examination is done exactly once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 1, max: 4 }),
      fc.infiniteStream(fc.nat(9)),
      (count, workers, choices) => {
        const queue = new WorkQueue<{ readonly path: string }>()
        const atWork = new Map<string, PlannedExamination>()
        const next = (): number => choices.next().value as number
        queue.add(plan(count))
        for (let index = 0; index < workers; index += 1) queue.free(worker(`w${index}`))
        const found: string[] = []
        for (let steps = 0; !queue.isDone && steps < 10_000; steps += 1) {
          for (const { worker: one, task } of queue.assign()) {
            expect(atWork.has(one.path)).toBe(false)
            atWork.set(one.path, task.planned)
          }
          const [path, planned] = [...atWork][next() % atWork.size] ?? []
          if (path === undefined || planned === undefined) throw new Error('nobody is at work, and there is work')
          atWork.delete(path)
          if (next() < 5) queue.finish(worker(path), resultOf(planned))
          else {
            const task = queue.lose(worker(path))
            if (task !== undefined) queue.retry({ ...task, attempt: task.attempt + 1 })
          }
          queue.free(worker(path))
          // Now and then, and when there is nothing to wait for.
          if (next() < 3 || queue.isEnding) found.push(...queue.take().map(({ planned }) => planned.key))
          queue.keep(found.length)
        }
        expect(found.sort()).toEqual(
          plan(count)
            .map(({ key }) => key)
            .sort(),
        )
      },
    ),
  )
})
