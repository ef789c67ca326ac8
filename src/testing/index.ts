/** For tests of actors: time and turns that belong to the test, and worlds that look for what breaks them. */
export { VirtualClock } from './virtual-clock.ts'
export { ManualScheduler } from './manual-scheduler.ts'
export { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from './test-runtime.ts'
export { sim, type Sim, type SimOptions, type SimRef } from './simulation/sim.ts'
export { simulate, type CampaignReport } from './simulation/simulate.ts'
export type { SimulateOptions } from './simulation/simulate-options.ts'
export { replay, type Replay } from './simulation/replay.ts'
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
  heal,
  partition,
  replayProperty,
  send,
  type ActorPropertyOptions,
  type Command,
  type CommandPlan,
  type CommandScenario,
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
export { arbitraryOf, type ArbitraryOptions } from './arbitraries/schema.ts'
export {
  invalidMessagesOf,
  messagesOf,
  type MessagesOptions,
  type SentOf,
  type Speaker,
} from './arbitraries/messages.ts'
export type { Charted, ChartOptions } from './arbitraries/chart.ts'
export { walksOf, type EventsOf, type Walk, type WalksOptions, type WalkStep } from './arbitraries/walks.ts'
export { coverageOf, type Coverage, type CoverageReport, type Covered, type Tally } from './arbitraries/coverage.ts'
export {
  coveringWalks,
  type CoveringOptions,
  type CoveringWalks,
  type Unreached,
} from './arbitraries/covering-walks.ts'
export {
  crashScripts,
  supervisionTrees,
  type Behaviour,
  type ChildNode,
  type CrashHow,
  type CrashStep,
  type TreesOptions,
  type TreeSpec,
  type WorkerSpec,
} from './arbitraries/supervision-trees.ts'
export { buildTree, carryOut, treeWorkerProtocol } from './arbitraries/build-tree.ts'
export { isLinearizable, pending, type Linearizability, type Operation, type SequentialModel } from './linearizable.ts'
export {
  loadTest,
  type GeneratorFigures,
  type LoadResult,
  type LoadScenario,
  type LoadTestOptions,
} from './load/load-test.ts'
export type { LoadCall } from './load/generator.ts'
export { arrivals, type Arrival, type RatePiece, type Step } from './load/arrival.ts'
export type { Slo, SloClause, SloClauseName } from './load/slo.ts'
export type { CurvePoint } from './load/curve.ts'
export type { LatencyFigures } from './load/latencies.ts'
export { overloadCodes, type Outcome } from './load/outcome.ts'
export { formatLoadReport } from './load/report.ts'
export { chaosProcess, type ChaosProcess, type ChaosProcessOptions, type ProcessEnd } from './chaos/process.ts'
export type { LineMatch, OutputLine } from './chaos/lines.ts'
export {
  chaosProxy,
  type ChaosProxy,
  type ChaosProxyOptions,
  type InDirection,
  type ProxyStats,
} from './chaos/proxy.ts'
export type { Direction } from './chaos/tunnel.ts'
export {
  chaosSchedule,
  planChaos,
  type ChaosAction,
  type ChaosPlanOptions,
  type ChaosReport,
  type ChaosSchedule,
  type ChaosScheduleOptions,
  type DoneFault,
  type PlannedFault,
} from './chaos/schedule.ts'
export type { Duration } from './duration.ts'
