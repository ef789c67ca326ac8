import { describe, expect, test } from 'vitest'
import { defineActor, message, supervisor } from 'echelon'
import { memoryJournal } from 'echelon/journal'
import { createTestRuntime, VirtualClock } from 'echelon/testing'

const plain = defineActor({ name: 'plain', protocol: {}, on: {} })
const kept = defineActor({ name: 'kept', durable: true, protocol: { note: message() }, on: { note: () => undefined } })
const broken = defineActor({
  name: 'broken',
  protocol: {},
  state: () => {
    throw new Error('no first state')
  },
  on: {},
})
const host = { node: 'other', clock: new VirtualClock() }

describe('a runtime that cannot begin', () => {
  test('given a journal that belongs to another, then it says so at once, and leaves nothing behind', async () => {
    const journal = memoryJournal()
    const owner = await journal.open(host)
    const clock = new VirtualClock()
    await expect(createTestRuntime({ journal, definitions: [kept], clock })).rejects.toMatchObject({
      code: 'JOURNAL_LOCKED',
    })
    expect([clock.now(), clock.pending]).toEqual([0, 0])
    await owner.close()
  })

  test.each([
    ['a definition that is not durable', { definitions: [plain] }, 'NOT_DURABLE'],
    ['a tree that does not start', { root: supervisor('tree', { children: [broken] }) }, 'START_FAILED'],
    ['a first actor that does not start', { root: broken }, 'START_FAILED'],
  ])('given %s, then it says so at once, and its journal is closed', async (_, options, code) => {
    const journal = memoryJournal()
    const clock = new VirtualClock()
    await expect(createTestRuntime({ journal, clock, ...options })).rejects.toMatchObject({ code })
    expect([clock.now(), clock.pending]).toEqual([0, 0])
    await (await journal.open(host)).close()
  })
})
