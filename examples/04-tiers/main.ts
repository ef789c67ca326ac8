import { createRuntime, defineActor, pool, question, strategic, tactical } from 'echelon'
import * as z from 'zod'

const buyer = defineActor({
  name: 'buyer',
  protocol: { 'buyer.need': question({ item: z.string(), usd: z.number() }, z.string()) },
  on: {
    'buyer.need': async ({ message: { item, usd }, escalate, reply }) => {
      if (usd < 0) throw new Error(`nobody sells ${item} for ${usd}`)
      const terms = { options: ['buy', 'skip'], defaultChoice: 'skip', choice: 'buy', deadlineMs: 60_000 }
      const { choice, by } = await escalate({ action: 'buy', spendUsd: usd, detail: item, ...terms })
      reply(`${choice} ${item}, says ${by}`)
    },
  },
})

const intensity = { restarts: 0, withinMs: 5_000 } // no failure is bearable here, so that one goes all the way up
const purchasing = tactical('purchasing', {
  actor: pool('buyers', buyer, { size: 2, intensity }), // messages go to the one with less to do
  authority: { spendUsd: 100 }, // of the 500 above; what is left out is inherited
  intensity,
})
const director = defineActor({
  name: 'director',
  protocol: { 'director.equip': question({ item: z.string(), usd: z.number() }, z.string()) },
  on: {
    'director.equip': async ({ message: { item, usd }, lookup, reply }) => {
      const asked = lookup(purchasing).ask({ type: 'buyer.need', item, usd })
      reply(await asked.catch(() => `no ${item}: nobody can buy it`))
    },
  },
})
const office = strategic('office', {
  actor: director,
  authority: { spendUsd: 500, actions: ['buy'] },
  decide: ({ request }) => (request.detail === 'tv' ? 'skip' : 'buy'),
  children: [purchasing],
  intensity,
})
await using runtime = await createRuntime({ root: office })
runtime.on('escalated', ({ from, to, reason, resolve }) => {
  console.log(`${from} -> ${to}: ${reason.kind === 'decision' ? `${String(reason.detail)}?` : 'cannot mend this'}`)
  if (to === 'person') resolve('buy', 'the owner said yes')
})
const equip = (item: string, usd: number) => runtime.lookup(office).ask({ type: 'director.equip', item, usd })
const needs = Object.entries({ pens: 20, desk: 150, tv: 300, van: 9_000, lamps: 70, chairs: 60 })
for (const [item, usd] of needs) console.log(await equip(item, usd))
equip('perpetuum', -1).catch(() => undefined) // it crashes a buyer, and perhaps nobody is left to answer
console.log(`the runtime closed: ${(await runtime.closed).kind}`)
