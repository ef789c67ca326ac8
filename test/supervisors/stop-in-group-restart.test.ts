import { child, defineActor, message, supervisor, type Ref } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { expect, test } from 'vitest'

const protocol = { crash: message() }
/** Takes 100 ms to stop. */
const slow = (name: string) =>
  defineActor({
    name,
    protocol,
    on: {
      crash: () => {
        throw new Error('boom')
      },
      'actor.stopping': ({ clock, message: { reason } }) =>
        reason.kind === 'crash' ? undefined : new Promise<void>((resolve) => clock.setTimeout(resolve, 100)),
    },
  })
const [a, b, c] = [slow('a'), slow('b'), slow('c')]
const top = supervisor('top', {
  strategy: 'one_for_all',
  intensity: { restarts: 3, withinMs: 1000 },
  children: [child(a), child(b), child(c, { restart: 'transient' })],
})

/** `a` has crashed, so `c` stops first, then `b`, 100 ms each; then all are started again. */
async function inGroupRestart() {
  const t = await createTestRuntime()
  const ref = t.runtime.spawn(top, { name: 'top' })
  const refOf = (name: string): Ref<typeof protocol> => {
    const found = t.runtime.ref(`/user/top/${name}`)
    if (found === undefined) throw new Error(`no ${name}`)
    // Every child of this tree is of this protocol.
    return found as unknown as Ref<typeof protocol>
  }
  refOf('a').tell({ type: 'crash' })
  await t.settle()
  const running = (): string[] => ['a', 'b', 'c'].filter((name) => refOf(name).isRunning)
  return { t, ref, refOf, running }
}

test.each([
  ['c', 50, 'while it is waited for'],
  ['c', 150, 'after it has ended'],
  ['b', 50, 'before it is told to stop'],
  ['a', 50, 'as the one that crashed'],
])(
  'given a stop of %s after %d ms of a group restart, %s, then it stays down and the others come back',
  async (name, atMs) => {
    const { t, refOf, running, ref } = await inGroupRestart()
    await using _ = t
    await t.advance(atMs)
    const stopped = refOf(name).stop()
    await t.advance(1000)
    await stopped
    expect(running()).toEqual(['a', 'b', 'c'].filter((other) => other !== name))
    const ids = await t.until(ref.ask({ type: 'supervisor.whichChildren' }))
    expect(ids.filter(({ status }) => status === 'stopped').map(({ id }) => id)).toEqual([name])
  },
)

test('given a stop at the very end of the child that is waited for, then no step of the restart is skipped', async () => {
  const { t, refOf, running } = await inGroupRestart()
  await using _ = t
  // Its own watcher stops it again, before its supervisor takes up that it has ended.
  refOf('c').watch(() => void refOf('c').stop())
  await t.advance(150)
  expect(running()).toEqual([]) // b is still being waited for
  await t.advance(1000)
  expect(running()).toEqual(['a', 'b'])
})

test('given no stop, then a group restart brings everybody back', async () => {
  const { t, running } = await inGroupRestart()
  await using _ = t
  await t.advance(1000)
  expect(running()).toEqual(['a', 'b', 'c'])
})
