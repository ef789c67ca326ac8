import { createRuntime, defineActor, message, question } from 'echelon'
import * as z from 'zod'

const greeter = defineActor({
  name: 'greeter',
  protocol: {
    'greeter.useWord': message({ word: z.string().min(1) }),
    'greeter.greet': question({ name: z.string() }, z.object({ text: z.string(), count: z.int() })),
  },
  state: () => ({ word: 'Hello', count: 0 }),
  on: {
    'greeter.useWord': ({ state, message }) => ({ ...state, word: message.word }),
    'greeter.greet': ({ state, message, reply }) => {
      const count = state.count + 1
      reply({ text: `${state.word}, ${message.name}!`, count })
      return { ...state, count }
    },
  },
})

await using runtime = await createRuntime()
const ref = runtime.spawn(greeter)

const first = await ref.ask({ type: 'greeter.greet', name: 'Ada' })
console.log(first.text)

ref.tell({ type: 'greeter.useWord', word: 'Welcome back' })
const second = await ref.ask({ type: 'greeter.greet', name: 'Ada' })
console.log(`${second.text} (greeting number ${second.count})`)
