import { createActor, createEmptyActor } from 'xstate'
import type { AnyActor, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, Snapshot } from 'xstate'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { childrenOf } from '../hosted.ts'
import { interruptChildren } from '../restore.ts'
import { isEffectLogic } from './effect-logic.ts'
import { ChartDelays } from './machine-delays.ts'
import { ChildEnds, keptState, outputBlobOf, persisted, revivedEvent, type PersistedMachine } from './machine-state.ts'
import type { DurableRecord } from './record.ts'
import type { Rebuild } from './recovery.ts'
import type { Turn } from './turn.ts'
import { decode } from './values.ts'

/** An action that a transition would run, with the parameters of XState's own, which its types only document. */
interface DryAction {
  readonly type: string
  readonly params?: unknown
}

type Scope = Parameters<AnyStateMachine['transition']>[2]

/** A chart that is being brought back: its transitions are taken and their actions are not run. */
export class ChartRebuild implements Rebuild {
  readonly #record: DurableRecord
  readonly #machine: AnyStateMachine
  #chart: AnyMachineSnapshot | undefined
  #ends = new ChildEnds()
  /** What transitions take for the actor that they are of. */
  #self: AnyActor | undefined
  beganAtMs = 0

  constructor(record: DurableRecord, machine: AnyStateMachine) {
    this.#record = record
    this.#machine = machine
  }

  /** Only asked for once it has begun. */
  get #state(): AnyMachineSnapshot {
    if (this.#chart === undefined) throw new Error('a chart is brought back before it began')
    return this.#chart
  }

  begin(atMs: number): void {
    this.beganAtMs = atMs
    const { ledger } = this.#record
    const { scope, actions } = this.#dryScope(undefined)
    this.#chart = this.#machine.getInitialSnapshot(scope, ledger.input)
    if (this.#chart.status === 'active') noteDelays(actions, ChartDelays.ofBeginning(ledger, atMs), scope.self)
  }

  /** @throws {DefinitionInvalidError} `DEFINITION_INVALID` when the chart has no such state, or no such child, any more. */
  restore(state: unknown): void {
    // An actor that is never started gives its snapshot as XState restores it.
    const chart = createActor(this.#machine, {
      snapshot: state as Snapshot<unknown>,
    }).getSnapshot() as AnyMachineSnapshot
    // What the journal has was written as one.
    const { status, value, children = {} } = state as PersistedMachine
    if (chart.status !== status) throw this.#lacks(`the state ${JSON.stringify(value)}`, chart.error)
    for (const [id, { src }] of Object.entries(children))
      if (childrenOf(chart)[id] === undefined) throw this.#lacks(`'${String(src)}', which is at work as '${id}'`)
    this.#chart = chart
    this.#ends = ChildEnds.restored(chart, () => false)
  }

  replay(turn: Turn, message: AnyEventObject): Promise<void> | undefined {
    const blob = outputBlobOf(message)
    if (blob === undefined) {
      this.#take(turn, message)
      return undefined
    }
    const { outputBlob: _, ...event } = message
    return this.#record.blob(blob).then((text) => {
      this.#take(turn, { ...event, output: decode(text) })
    })
  }

  #take(turn: Turn, message: AnyEventObject): void {
    const event = revivedEvent(this.#record.stream, message)
    const before = this.#state
    const { ledger } = this.#record
    const delays = ChartDelays.of(turn, ledger)
    const { scope, actions } = this.#dryScope(before)
    this.#chart = this.#machine.transition(before, event, scope)
    this.#ends.note(before, event)
    noteDelays(actions, delays, scope.self)
    if (this.#chart.status === 'done') delays.cancelAll(ledger)
  }

  digested(): unknown {
    return keptState(this.#machine, this.#state, this.#ends).digested()
  }

  /** Where a live chart goes on, and which of its children a crash has cut off. */
  resumable(): ReturnType<typeof interruptChildren> {
    const chart = this.#state
    return interruptChildren(this.#record.stream, persisted(this.#machine, chart, this.#ends), (id, { status }) => {
      const child = childrenOf(chart)[id]
      return status === 'active' && !(child !== undefined && isEffectLogic(child.logic))
    })
  }

  #lacks(what: string, cause?: unknown): Error {
    const { stream } = this.#record
    return new DefinitionInvalidError(
      stream,
      `its journal has ${what}, which its chart does not have: undo that, or raise the version and add a migration`,
      ...(cause === undefined ? [] : [{ cause }]),
    )
  }

  /**
   * What a transition is given that is to have no effect, and the actions that it would run. As in XState's own
   * `transition`, but the actor that it sees has the state of before, as a live one has.
   */
  #dryScope(before: AnyMachineSnapshot | undefined): { readonly scope: Scope; readonly actions: DryAction[] } {
    // The input was checked by the definition's schema when it was first given.
    this.#self ??= createActor(this.#machine, { input: this.#record.ledger.input })
    // A system of its own each time: ids that children have in a system are free again.
    const { system } = createEmptyActor()
    // The prototype is an actor.
    const self = Object.create(this.#self, {
      system: { value: system },
      ...(before === undefined ? {} : { getSnapshot: { value: () => before } }),
    }) as AnyActor
    const actions: DryAction[] = []
    const nothing = (): void => undefined
    const scope: Scope = {
      self,
      id: self.id,
      sessionId: self.sessionId,
      system,
      logger: nothing,
      defer: nothing,
      emit: nothing,
      stopChild: nothing,
      actionExecutor: (action) => {
        actions.push(action)
      },
    }
    return { scope, actions }
  }
}

/** The delayed events that a transition sets and cancels, in its order. `self`: the actor that it took itself for. */
function noteDelays(actions: readonly DryAction[], delays: ChartDelays, self: unknown): void {
  for (const { type, params = {} } of actions) {
    const { event, id, delay, sendId, to } = params as {
      readonly event?: AnyEventObject
      readonly id?: string
      readonly delay?: number
      readonly sendId?: string
      readonly to?: unknown
    }
    if (type === 'xstate.cancel' && sendId !== undefined) delays.cancel(sendId)
    const isOwn = type === 'xstate.raise' || (type === 'xstate.sendTo' && to === self)
    if (isOwn && event !== undefined && typeof delay === 'number') delays.set(id, delay, event)
  }
}
