import type { Runtime } from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import { memoryJournal } from '../../src/journal/memory.ts'

/** A test runtime with a journal, whose actors all have names: a durable one is found again by its name. */
export async function startDurable(): Promise<TestRuntime> {
  const test = await createTestRuntime({ journal: memoryJournal() })
  let number = 0
  const spawn: Runtime['spawn'] = (definition, options) => {
    number += 1
    return test.runtime.spawn(definition, { name: `${definition.name}-${number}`, ...options })
  }
  const runtime = new Proxy(test.runtime, {
    get: (target, key): unknown => {
      if (key === 'spawn') return spawn
      const member: unknown = Reflect.get(target, key, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
  return { ...test, runtime }
}
