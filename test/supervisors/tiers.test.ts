import { defineActor, message, operational, pool, question, strategic, tactical } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'

const director = defineActor({
  name: 'director',
  protocol: { 'director.goal': question({}, z.string()) },
  on: { 'director.goal': ({ reply, path }) => void reply(path) },
})
const reader = defineActor({
  name: 'reader',
  protocol: { 'reader.read': question({}, z.string()), 'reader.note': message() },
  on: { 'reader.read': ({ reply, path }) => void reply(path), 'reader.note': () => undefined },
})

test('given a tier and a pool, when messages in the protocol of their actors are sent to them, then those get them', async () => {
  const licences = operational('licences', { actor: pool('readers', reader, { size: 2 }), authority: {}, children: [] })
  const coordination = tactical('coordination', { authority: {}, children: [licences] })
  const review = strategic('review', { actor: director, authority: { spendUsd: 20 }, children: [coordination] })
  await using world = await createTestRuntime({ root: review })
  const ref = world.runtime.ref('/review')
  const asked = ref?.ask({ type: 'director.goal' } as never)
  await world.settle()
  expect(await asked).toBe('/review/director')
  const read = world.runtime.ref('/review/coordination/licences')?.ask({ type: 'reader.read' } as never)
  await world.settle()
  expect(await read).toBe('/review/coordination/licences/readers/readers-1')
})
