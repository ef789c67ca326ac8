import { asksWorld } from './scenarios/asks.ts'
import { authorityWorld } from './scenarios/authority.ts'
import { fencingWorld } from './scenarios/fencing.ts'
import { inboxWorld } from './scenarios/inbox.ts'
import { mailboxWorld } from './scenarios/mailbox.ts'
import { passivationWorld } from './scenarios/passivation.ts'
import { paymentsWorld, retriesWorld } from './scenarios/payments.ts'
import { racesWorld } from './scenarios/races.ts'
import { registerWorld } from './scenarios/register.ts'
import { registryWorld } from './scenarios/registry.ts'
import { relayWorld } from './scenarios/relay.ts'
import { shutdownWorld } from './scenarios/shutdown.ts'
import { streamsWorld } from './scenarios/streams.ts'
import { significantWorld, supervisionWorld } from './scenarios/supervision.ts'
import { metronomeWorld, timersWorld } from './scenarios/timers.ts'
import { watchWorld } from './scenarios/watch.ts'

/** The worlds in which the planted bugs have to be found. */
export const scenarios = {
  asks: asksWorld,
  authority: authorityWorld,
  fencing: fencingWorld,
  inbox: inboxWorld,
  mailbox: mailboxWorld,
  metronome: metronomeWorld,
  passivation: passivationWorld,
  payments: paymentsWorld,
  races: racesWorld,
  register: registerWorld,
  registry: registryWorld,
  relay: relayWorld,
  retries: retriesWorld,
  shutdown: shutdownWorld,
  significant: significantWorld,
  streams: streamsWorld,
  supervision: supervisionWorld,
  timers: timersWorld,
  watch: watchWorld,
} as const

export type ScenarioName = keyof typeof scenarios
