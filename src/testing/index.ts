/** For tests of actors: time and turns that belong to the test, and worlds that look for what breaks them. */
export { VirtualClock } from './virtual-clock.ts'
export { ManualScheduler } from './manual-scheduler.ts'
export { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from './test-runtime.ts'
export { sim, type Sim, type SimOptions, type SimRef } from './simulation/sim.ts'
export { simulate, replay, type CampaignReport, type Replay, type SimulateOptions } from './simulation/simulate.ts'
export { defineScenario, type Scenario } from './simulation/scenario.ts'
export { always, eventually, type Check, type Invariant, type Probe } from './simulation/invariant.ts'
export { faults, standardFaults, type FaultKind, type FaultPlan, type FaultRates } from './simulation/faults.ts'
export { wrap, perWorld, type Call, type CallModel, type WrapOptions } from './simulation/calls.ts'
export { explore, type ExploreOptions, type ExploreReport } from './simulation/explore.ts'
export {
  crashEverywhere,
  type CrashEverywhereOptions,
  type CrashEverywhereReport,
} from './simulation/crash-everywhere.ts'
export {
  actorProperty,
  advance,
  crash,
  send,
  type ActorPropertyOptions,
  type Command,
  type CommandPlan,
} from './simulation/property.ts'
export {
  callsTool,
  hostile,
  hostileResult,
  says,
  scripted,
  type HostileTerms,
  type ModelReply,
  type ReplyModel,
  type Script,
  type ToolCall,
} from './simulation/replies.ts'
export { readCase, type SimulationCase } from './simulation/simcase.ts'
export { sequenceDiagram } from './simulation/diagram.ts'
export type { World, Violation } from './simulation/world.ts'
export type { SimulatedNode, NodeOptions } from './simulation/node.ts'
export type { SimulatedNetwork } from './simulation/network.ts'
export type { Connection, ConnectionHandlers, Network } from '../core/network.ts'
export type { ClientRef } from './simulation/client.ts'
export {
  CallFailedError,
  EscapedSimulationError,
  NodeDownError,
  SimulationBusyError,
  SimulationCaseError,
  SimulationFailedError,
} from './simulation/errors.ts'
