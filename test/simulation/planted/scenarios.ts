import { inboxWorld } from './scenarios/inbox.ts'
import { paymentsWorld, retriesWorld } from './scenarios/payments.ts'
import { registerWorld } from './scenarios/register.ts'
import { relayWorld } from './scenarios/relay.ts'
import { significantWorld, supervisionWorld } from './scenarios/supervision.ts'
import { metronomeWorld, timersWorld } from './scenarios/timers.ts'

/** The worlds in which the planted bugs have to be found. */
export const scenarios = {
  inbox: inboxWorld,
  metronome: metronomeWorld,
  payments: paymentsWorld,
  register: registerWorld,
  relay: relayWorld,
  retries: retriesWorld,
  significant: significantWorld,
  supervision: supervisionWorld,
  timers: timersWorld,
} as const

export type ScenarioName = keyof typeof scenarios
