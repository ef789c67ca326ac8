/** Scenarios for the tests of `echelon sim`: one that breaks by one crash, and one that does not. */
import { defineActor, message } from 'echelon'
import { defineScenario, perWorld, wrap } from 'echelon/testing'

const letters = perWorld(() => ({ sent: 0 }))
const post = wrap({ send: (to: string) => Promise.resolve((letters.current.sent += 1) + to.length) }, { name: 'post' })

const writer = defineActor({
  name: 'writer',
  durable: true,
  protocol: { 'writer.write': message() },
  on: {
    'writer.write': async ({ effect }) => {
      await effect('send', () => post.send('<b>Ada & "Bob"</b>'), { idempotent: true, timeoutMs: 60_000 })
    },
  },
})

const scenario = (name: string, mostLetters: number) =>
  defineScenario({
    name,
    nodes: { office: [writer] },
    run: async (world) => {
      const ref = world.get(writer, 'w')
      await world.retrying(() => ref.tell({ type: 'writer.write' }, { durable: true, id: 'once' }))
      await world.sleep(60_000)
    },
    always: function fewLetters() {
      return letters.current.sent <= mostLetters || `<i>${letters.current.sent}</i> letters`
    },
    sometimes: { 'a letter is sent': () => letters.current.sent > 0 },
  })

export const oneLetter = scenario('one letter', 1)
export const manyLetters = scenario('many letters', 100)
export const somethingElse = { run: 1 }
