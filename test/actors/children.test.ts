import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cell } from '../../src/actors/cell.ts'
import { Children, numberedName } from '../../src/actors/children.ts'

/** As much of a cell as its place among its siblings depends on. */
const fakeCell = (givenName: string | undefined, number: number, incarnation = 1): Cell =>
  // `Children` reads these four and nothing else.
  ({ givenName, number, incarnation, name: givenName ?? numberedName('kid', number) }) as unknown as Cell

const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant({ kind: 'add' } as const) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('name' as const),
        name: fc.constantFrom('a', 'b', 'kid-3', 'kid-7', 'x-1'),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('replace' as const), at: fc.nat() }) },
  ),
  { maxLength: 300 },
)

test('children behave like a map by name, whatever is added, replaced and removed', () => {
  fc.assert(
    fc.property(commands, (script) => {
      const children = new Children()
      const model = new Map<string, Cell>()
      for (const command of script) {
        if (command.kind === 'add' || command.kind === 'name') {
          const name = command.kind === 'name' ? command.name : undefined
          if (name !== undefined && model.has(name)) continue
          const cell = fakeCell(name, children.nextNumber(name === undefined ? 'kid' : undefined))
          expect(model.has(cell.name)).toBe(false)
          children.set(cell)
          model.set(cell.name, cell)
        } else {
          const cell = [...model.values()][command.at % Math.max(1, model.size)]
          if (cell === undefined) continue
          const next = fakeCell(cell.givenName, cell.number, cell.incarnation + 1)
          if (command.kind === 'remove') {
            children.delete(next)
            model.delete(cell.name)
            expect(children.get(cell.name)).toBeUndefined()
          } else {
            children.set(next)
            model.set(cell.name, next)
            expect(children.holds(cell)).toBe(false)
          }
        }
      }
      expect(children.size).toBe(model.size)
      expect(new Set(children)).toEqual(new Set(model.values()))
      for (const [name, cell] of model) {
        expect(children.get(name)).toBe(cell)
        expect(children.holds(cell)).toBe(true)
      }
      const numbers = children.inOrder().map(({ number }) => number)
      if ([...model.values()].some(({ givenName }) => givenName === undefined)) {
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      }
    }),
    { numRuns: 500 },
  )
})

test('given 100,000 children that stay, when others come and go, then a place is still found at once', () => {
  const children = new Children()
  for (let n = 0; n < 100_000; n += 1) children.set(fakeCell(undefined, children.nextNumber('kid')))
  for (let n = 0; n < 300_000; n += 1) {
    const cell = fakeCell(undefined, children.nextNumber('kid'))
    children.set(cell)
    children.delete(cell)
  }
  expect(children.size).toBe(100_000)
  expect(children.get('kid-99999')?.number).toBe(99_999)
  expect(children.get('kid-100001')).toBeUndefined()
})
