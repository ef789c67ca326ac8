import type { AnyDefinition, InputOf } from '../../actors/definition.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { millisecondsOf, type Duration } from '../duration.ts'
import type { OrderNote, RuntimeEvent } from '../../core/events.ts'
import type { Append } from '../../core/journal.ts'
import type { Random } from '../../core/random.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { outsideOfWorlds } from './active.ts'
import { Calls } from './calls.ts'
import type { ClientRef } from './client.ts'
import type { Decisions } from './decisions.ts'
import { EscapedSimulationError, NodeDownError } from './errors.ts'
import { lineOf } from './event-line.ts'
import { ratesOf, type FaultPlan, type FaultRates } from './faults.ts'
import { Guard } from './guard.ts'
import { hurtProcess } from './hurt-process.ts'
import type { Invariant } from './invariant.ts'
import { SimulationKernel } from './kernel.ts'
import { SimulatedNetwork } from './network.ts'
import { SimulatedNode } from './node.ts'
import { payloadHash, textHash } from './payload-hash.ts'
import { conditionsOf, invariantsOf, nodeOptionsOf, type Scenario } from './scenario.ts'
import { Trace } from './trace.ts'
import { placeOf } from './where.ts'
import type { RetryTerms, Violation, World } from './world.ts'
import { Zone } from './zone.ts'

export interface WorldOptions {
  readonly decisions: Decisions
  readonly faults: FaultPlan
  readonly invariants: readonly Invariant[]
  readonly keepTrace: boolean
  readonly isStrict: boolean
}

/** Epoch milliseconds at which every world begins: 2026-01-01 in UTC. */
const beginMs = Date.UTC(2026, 0, 1)
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Errors of a node that another process of it may not have. */
const passing = new Set(['JOURNAL_FAILED', 'JOURNAL_FENCED', 'JOURNAL_CLOSED', 'RUNTIME_CLOSED', 'TARGET_DOWN'])

const isPassing = (error: unknown): boolean =>
  error instanceof Error &&
  (('retryable' in error && error.retryable === true) || ('code' in error && passing.has(String(error.code))))

/** One world: its kernel, its nodes, what watches over it, and what has become of it. */
export class SimulatedWorld implements World {
  readonly kernel: SimulationKernel
  readonly trace: Trace
  readonly rates: FaultRates
  readonly random: Random
  readonly calls: Calls
  readonly network: SimulatedNetwork
  readonly isStrict: boolean
  /** The program that drives the scenario, and the world outside of all nodes: they never die. */
  readonly driver: Zone
  readonly outside: Zone
  readonly #nodes = new Map<string, SimulatedNode>()
  readonly #guard: Guard
  readonly #downListeners = new Map<SimulatedNode, Set<() => void>>()
  readonly #externals = new Set<Promise<unknown>>()
  #violation: Violation | undefined
  #delivered = 0
  #faults = 0
  #messages = 0
  #externalReason: string | undefined

  constructor(scenario: Scenario, { decisions, faults, invariants, keepTrace, isStrict }: WorldOptions) {
    this.kernel = new SimulationKernel({
      decisions,
      epochMs: beginMs,
      onUncaught: (zone, error) => {
        this.violate('uncaught', `uncaught in ${zone.name}: ${textOf(error)}`, error)
      },
      afterStep: () => {
        this.#afterStep()
      },
    })
    this.trace = new Trace(keepTrace)
    this.isStrict = isStrict
    this.rates = ratesOf(faults, decisions.random.fork('swarm'))
    this.random = decisions.random.fork('scenario')
    this.driver = new Zone(this.kernel, 'driver', 1, decisions.random.fork('driver'))
    this.outside = new Zone(this.kernel, 'outside', 1, decisions.random.fork('outside'))
    this.calls = new Calls(this)
    this.network = new SimulatedNetwork(this)
    this.kernel.add(this.driver)
    this.kernel.add(this.outside)
    for (const [name, given] of Object.entries(scenario.nodes))
      this.#nodes.set(name, new SimulatedNode(this, name, nodeOptionsOf(name, given)))
    this.#guard = new Guard(this, {
      invariants: [...invariants, ...invariantsOf(scenario)],
      conditions: conditionsOf(scenario),
      onBroken: (invariant, message, error) => {
        this.violate(invariant, message, error)
      },
      isOver: () => this.#violation !== undefined,
    })
  }

  // ---- for scenarios ------------------------------------------------------------------------------------------------

  get nowMs(): number {
    return this.kernel.nowMs
  }

  get nodes(): readonly SimulatedNode[] {
    return [...this.#nodes.values()]
  }

  node(name: string): SimulatedNode {
    const node = this.#nodes.get(name)
    if (node === undefined)
      throw new DefinitionInvalidError(`world.node('${name}')`, `there are ${[...this.#nodes.keys()].join(', ')}`)
    return node
  }

  get<D extends AnyDefinition>(definition: D, key: string, options?: { readonly input?: InputOf<D> }): ClientRef<D> {
    const node = this.nodes.find(({ options: { definitions = [] } }) => definitions.includes(definition))
    if (node === undefined)
      throw new DefinitionInvalidError(`world.get('${definition.name}')`, 'no node lists this definition')
    return node.get(definition, key, options)
  }

  choose(n: number, label = 'choice'): number {
    if (!Number.isSafeInteger(n) || n < 1)
      throw new DefinitionInvalidError('world.choose', `${n} is not a positive integer`)
    return this.kernel.decisions.stream(`scenario ${label}`, 'value').uniform(n)
  }

  integer(min: number, max: number, label?: string): number {
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || max < min)
      throw new DefinitionInvalidError('world.integer', `there is no integer from ${min} to ${max}`)
    return min + this.choose(max - min + 1, label)
  }

  pick<T>(values: readonly T[], label?: string): T {
    if (values.length === 0) throw new DefinitionInvalidError('world.pick', 'there is nothing to pick from')
    // The index is below the length.
    return values[this.choose(values.length, label)] as T
  }

  async repeat(times: number, actions: Readonly<Record<string, () => void | Promise<void>>>): Promise<void> {
    const named = Object.entries(actions)
    for (let round = 0; round < times; round += 1) {
      // Each round decides by itself, so that one can be left out without any change to the others.
      const index = this.choose(named.length + 1, `round ${round}`)
      const action = named[index - 1]
      if (action === undefined) continue
      this.note(action[0])
      await action[1]()
    }
  }

  sleep(duration: Duration): Promise<void> {
    const ms = millisecondsOf(duration, 'world.sleep')
    return this.wait((resume) => {
      this.kernel.timer(this.driver, 'driver sleeps', ms, resume)
    })
  }

  async retrying<T>(attempt: () => Promise<T>, { attempts = 60, everyMs = 500 }: RetryTerms = {}): Promise<T> {
    for (let made = 1; ; made += 1) {
      try {
        return await attempt()
      } catch (error) {
        if (!isPassing(error) || made >= attempts) throw error
        await this.sleep(everyMs * Math.min(2 ** (made - 1), 20))
      }
    }
  }

  expect(condition: boolean, message: string): void {
    if (!condition) this.fail(message)
  }

  fail(message: string): never {
    const error = new Error(message)
    this.violate(this.#guard.checking ?? 'run', message, error)
    throw error
  }

  sometimes(name: string): void {
    this.#guard.reach(name)
  }

  note(what: string): void {
    this.trace.add(this.nowMs, 'driver', 'note', what)
  }

  calm(): void {
    this.kernel.decisions.calm()
  }

  async external<T>(reason: string, real: () => Promise<T>): Promise<T> {
    this.#externalReason ??= reason
    const zone = this.kernel.current ?? this.driver
    // What it throws at once is a rejection too.
    const promise = outsideOfWorlds(async () => real())
    const settled = promise.then(
      () => undefined,
      () => undefined,
    )
    this.#externals.add(settled)
    void settled.then(() => this.#externals.delete(settled))
    return new Promise<T>((resolve, reject) => {
      promise.then(
        (value) => {
          this.kernel.after(zone, `external ${reason}`, 0, () => {
            resolve(value)
          })
        },
        (error: unknown) => {
          this.kernel.after(zone, `external ${reason}`, 0, () => {
            reject(error)
          })
        },
      )
    })
  }

  // ---- for its parts ------------------------------------------------------------------------------------------------

  get violation(): Violation | undefined {
    return this.#violation
  }

  get reached(): ReadonlySet<string> {
    return this.#guard.reached
  }

  /** Messages that actors handled. */
  get delivered(): number {
    return this.#delivered
  }

  get faultsInjected(): number {
    return this.#faults
  }

  /** Why the run is not repeatable, when it is not. */
  get externalReason(): string | undefined {
    return this.#externalReason
  }

  /** What real things are waited for. */
  get externals(): ReadonlySet<Promise<unknown>> {
    return this.#externals
  }

  /** An id for a message of a client. */
  nextMessageId(): string {
    this.#messages += 1
    return `client-${this.#messages}`
  }

  /** Resolves in a step of the driver, after `register` was given what resumes it and somebody called that. */
  wait(register: (resume: () => void) => unknown): Promise<void> {
    return new Promise((resolve) => {
      register(() => {
        this.kernel.after(this.driver, 'driver', 0, resolve)
      })
    })
  }

  /** Has code run in the process of a node, as a request, and settles in a step of the driver. Rejects with `NODE_DOWN` when that dies. */
  fromZone<T>(node: SimulatedNode, what: string, code: (runtime: Runtime) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const listeners = this.#downListeners.get(node) ?? new Set()
      this.#downListeners.set(node, listeners)
      const settle = (how: () => void): void => {
        if (listeners.delete(down)) this.kernel.after(this.driver, 'driver', 0, how)
      }
      const down = (): void => {
        settle(() => {
          reject(new NodeDownError(node.name, what))
        })
      }
      listeners.add(down)
      this.trace.add(this.nowMs, 'driver', node.name, what)
      if (node.runtime === undefined) {
        down()
        return
      }
      node.submit((runtime) => {
        // What it throws at once is a rejection too.
        const done = (async () => code(runtime))()
        done.then(
          (value) => {
            settle(() => {
              resolve(value)
            })
          },
          (error: unknown) => {
            settle(() => {
              reject(error)
            })
          },
        )
      })
    })
  }

  violate(invariant: string, message: string, error?: unknown): void {
    if (this.#violation !== undefined) return
    this.trace.add(this.nowMs, 'world', 'violation', `${invariant}: ${message}`)
    this.#violation = { invariant, message, error, step: this.kernel.steps, atMs: this.nowMs }
  }

  /** Something real was reached for in a step. */
  escaped(what: string, stack: string): void {
    const place = placeOf(stack)
    const error = new EscapedSimulationError(
      what,
      place,
      'put it behind wrap() or a port, or open it before the world begins',
    )
    this.violate('escape', `${what} in a simulated world, at ${place}`, error)
  }

  noteFault(node: string, what: string): void {
    this.#faults += 1
    this.trace.add(this.nowMs, node, 'fault', what)
  }

  event(event: RuntimeEvent): void {
    const node = this.#nodes.get(event.node)
    if (node === undefined) return
    if (event.type === 'handled') this.#delivered += 1
    const isStale = this.#isStale(node)
    const payload = event.type === 'handled' ? payloadHash(event.message) : ''
    this.trace.add(this.nowMs, isStale ? `${event.node} (replaced)` : event.node, event.path, lineOf(event), payload)
    if (isStale) return
    if (event.type === 'journal-failed') node.journalFailed()
    this.#guard.tell('event', event, node)
  }

  noteOrder(note: OrderNote): void {
    const node = this.#nodes.get(note.node)
    if (node === undefined || this.#isStale(node)) return
    this.#guard.tell('order', note, node)
  }

  /** A process that was replaced while it was paused may still say something. */
  #isStale({ name, zone }: SimulatedNode): boolean {
    const { current } = this.kernel
    return zone !== undefined && current?.name === name && current !== zone
  }

  written(node: SimulatedNode, appends: readonly Append[]): void {
    for (const { stream, entries } of appends)
      this.trace.add(this.nowMs, node.name, stream, 'is written', textHash(entries.map(({ body }) => body).join('\n')))
    this.#guard.tell('written', node, appends)
  }

  acknowledged(node: SimulatedNode, stream: string, id: string): void {
    this.#guard.tell('acknowledged', node, stream, id)
  }

  died(node: SimulatedNode): void {
    for (const down of [...(this.#downListeners.get(node) ?? [])]) down()
    this.#guard.tell('died', node)
  }

  diskLost(node: SimulatedNode): void {
    this.#guard.tell('diskLost', node)
  }

  startFailed(node: SimulatedNode, error: unknown, isLast: boolean): void {
    this.trace.add(this.nowMs, node.name, 'process', `does not start: ${textOf(error)}`)
    if (isLast) this.violate('start', `node ${node.name} does not start`, error)
  }

  /** Everything is mended and nothing is left to do: what has to hold then. */
  quiet(): void {
    this.kernel.within(this.driver, () => {
      this.#guard.quiet()
    })
  }

  #afterStep(): void {
    // Checks have the time of the world, as the scenario does.
    this.kernel.within(this.driver, () => {
      this.#guard.step()
    })
    if (!this.kernel.decisions.isCalm)
      for (const node of this.#nodes.values()) if (node.state === 'up') hurtProcess(this, node)
  }
}
