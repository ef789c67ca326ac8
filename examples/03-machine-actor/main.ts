import { createRuntime, defineActor, message, question } from 'echelon'
import { assign, waitFor } from 'xstate'
import * as z from 'zod'

const context = { action: '', outcome: 'none' }

/** One proposal at a time waits for a person; the next one waits for its turn. */
const approvals = defineActor({
  name: 'approvals',
  protocol: {
    'approvals.propose': message({ action: z.string() }),
    'approvals.approve': message(),
    'approvals.last': question({}, z.object({ action: z.string(), outcome: z.string() })),
  },
  machine: ({ setup, reply, postpone }) =>
    setup({ types: { context } }).createMachine({
      context,
      initial: 'idle',
      states: {
        idle: {
          on: {
            'approvals.propose': {
              target: 'waiting',
              actions: assign({ action: ({ event }) => event.action, outcome: 'open' }),
            },
          },
        },
        waiting: {
          after: { 100: { target: 'idle', actions: assign({ outcome: 'expired' }) } },
          on: {
            'approvals.approve': { target: 'idle', actions: assign({ outcome: 'approved' }) },
            'approvals.propose': { actions: postpone }, // comes again when the state has changed
          },
        },
      },
      on: { 'approvals.last': { actions: reply(({ context }) => context) } },
    }),
})

await using runtime = await createRuntime()
const ref = runtime.spawn(approvals)
ref.select(({ context }) => context).subscribe(({ action, outcome }) => console.log(`${action}: ${outcome}`))

ref.tell({ type: 'approvals.propose', action: 'delete-branch' })
ref.tell({ type: 'approvals.propose', action: 'send-mail' }) // postponed
ref.tell({ type: 'approvals.approve' })

await waitFor(ref, ({ context }) => context.outcome === 'expired') // nobody looks at the second one in time
console.log(await ref.ask({ type: 'approvals.last' }))
