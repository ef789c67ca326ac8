import { createRuntime, defineActor, defineKey, message, question, supervisor } from 'echelon'
import * as z from 'zod'

const totalsProtocol = { 'totals.add': message({ amount: z.number() }), 'totals.sum': question({}, z.number()) }
const totalsKey = defineKey('totals', totalsProtocol)
const totals = defineActor({
  name: 'totals',
  protocol: totalsProtocol,
  state: () => 0,
  on: {
    'actor.started': ({ register }) => register(totalsKey),
    'totals.add': ({ state, message }) => state + message.amount,
    'totals.sum': ({ state, reply }) => reply(state),
  },
})

const parserProtocol = { 'parser.line': message({ text: z.string() }) }
const parserKey = defineKey('parser', parserProtocol)
const lineSchema = z.object({ amount: z.number() })
const parser = defineActor({
  name: 'parser',
  protocol: parserProtocol,
  on: {
    'actor.started': ({ register }) => register(parserKey),
    'parser.line': ({ message, lookup }) => {
      const { amount } = lineSchema.parse(JSON.parse(message.text)) // throws: a crash
      lookup(totals).tell({ type: 'totals.add', amount }) // its sibling
    },
  },
})

const intake = supervisor('intake', { intensity: { restarts: 1, withinMs: 5_000 }, children: [totals, parser] })
await using runtime = await createRuntime({ root: intake })
runtime.on('failed', ({ path }) => console.log(`${path} failed`))
runtime.on('restarted', ({ path, incarnation }) => console.log(`${path} runs again, incarnation ${incarnation}`))
runtime.deadLetters.subscribe(({ to, reason }) => console.log(`dead letter for ${to}: ${reason}`))

const send = async (text: string) => {
  await new Promise((resolve) => setImmediate(resolve)) // everything that is due has its turn: a new actor registers
  runtime.find(parserKey)[0]?.tell({ type: 'parser.line', text })
}
for (const text of ['{"amount":40}', 'not json', '{"amount":2}']) await send(text)
console.log(`sum: ${await runtime.find(totalsKey)[0]?.ask({ type: 'totals.sum' })}`)

await send('broken') // a second restart within five seconds is one too many: the supervisor gives up
console.log(`the runtime closed: ${(await runtime.closed).kind}`)
