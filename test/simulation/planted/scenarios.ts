import { asksWorld } from './scenarios/asks.ts'
import { fencingWorld } from './scenarios/fencing.ts'
import { inboxWorld } from './scenarios/inbox.ts'
import { mailboxWorld } from './scenarios/mailbox.ts'
import { paymentsWorld, retriesWorld } from './scenarios/payments.ts'
import { registerWorld } from './scenarios/register.ts'
import { relayWorld } from './scenarios/relay.ts'
import { significantWorld, supervisionWorld } from './scenarios/supervision.ts'
import { metronomeWorld, timersWorld } from './scenarios/timers.ts'
import { watchWorld } from './scenarios/watch.ts'

/** The worlds in which the planted bugs have to be found. */
export const scenarios = {
  asks: asksWorld,
  fencing: fencingWorld,
  inbox: inboxWorld,
  mailbox: mailboxWorld,
  metronome: metronomeWorld,
  payments: paymentsWorld,
  register: registerWorld,
  relay: relayWorld,
  retries: retriesWorld,
  significant: significantWorld,
  supervision: supervisionWorld,
  timers: timersWorld,
  watch: watchWorld,
} as const

export type ScenarioName = keyof typeof scenarios
