import { inboxWorld } from './scenarios/inbox.ts'

/** The worlds in which the planted bugs have to be found. */
export const scenarios = {
  inbox: inboxWorld,
} as const

export type ScenarioName = keyof typeof scenarios
