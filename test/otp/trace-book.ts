import { errors, type Clock, type ExitReason, type Ref } from 'echelon'
import type { Cell } from '../../src/actors/cell.ts'
import type { StartResult } from './case.ts'
import type { EventKind, TraceEvent } from './trace.ts'

/** One incarnation of an actor under test. For workers it is their state. */
export interface Incarnation {
  readonly cell: Cell
  readonly id: string
  /** The supervisor incarnation above it, `root#1`; empty for the root. */
  readonly owner: string
  /** Its own, when it is a supervisor. */
  readonly instance: string | undefined
  /** Whether the ids of its children begin with its own: below a dynamic child they do. */
  readonly prefixes: boolean
  alive: boolean
  /** A worker's last word. */
  said: EventKind | undefined
}

/** Writes down what happens as the oracle does for Erlang: who starts, who ends, in order. */
export class TraceBook {
  readonly #incarnations: Incarnation[] = []
  readonly #byCell = new Map<Cell, Incarnation>()
  readonly #attempts = new Map<string, number>()
  /** Where ids begin anew: the root, a child that a step added, a dynamic child. By path. */
  readonly #places = new Map<string, { readonly id: string; readonly isDynamic: boolean }>()
  readonly #clock: Clock
  #events: TraceEvent[] = []
  #beginning: Incarnation | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The actor at `path` is known as `id`. */
  place(path: string, id: string, isDynamic: boolean): void {
    this.#places.set(path, { id, isDynamic })
  }

  /** What a child is called in its supervisor, and so in its path. */
  segmentOf(id: string, supervisor: string): string {
    return id.startsWith(`${supervisor}.`) ? id.slice(supervisor.length + 1) : id
  }

  /** And back. */
  idOf(segment: string, supervisor: Cell): string {
    const known = this.#places.get(`${supervisor.path}/${segment}`)
    const above = this.#byCell.get(supervisor)
    return known?.id ?? (above?.prefixes === true ? `${above.id}.${segment}` : segment)
  }

  // ---------------------------------------------------------------- scripts

  /** Result of the start of `id` that is about to happen. */
  nextResult(id: string, script: readonly StartResult[]): StartResult {
    return script[this.#attempts.get(id) ?? 0] ?? 'ok'
  }

  attempt(id: string, script: readonly StartResult[]): StartResult {
    const result = this.nextResult(id, script)
    this.#attempts.set(id, (this.#attempts.get(id) ?? 0) + 1)
    return result
  }

  // ---------------------------------------------------------------- beginnings and ends

  /** The logic of a cell is about to begin. Throws when the script of a worker says that this start fails. */
  begin(cell: Cell, script: readonly StartResult[]): void {
    const above = cell.parent === undefined ? undefined : this.#byCell.get(cell.parent)
    const id = cell.parent === undefined ? cell.name : this.idOf(cell.name, cell.parent)
    const owner = above?.instance ?? ''
    const prefixes = this.#places.get(cell.path)?.isDynamic ?? above?.prefixes ?? false
    const isSupervisor = cell.definition.type === 'supervisor'
    const count = this.#incarnations.filter((each) => each.id === id).length + 1
    const instance = isSupervisor ? `${id}#${count}` : undefined
    const fails = !isSupervisor && this.attempt(id, script) === 'fail'
    const kind = isSupervisor ? 'sup_start' : fails ? 'start_failed' : 'start'
    this.add({ owner, kind, id: instance ?? id, reason: '' })
    if (fails) throw new Error('nope')
    const incarnation: Incarnation = { cell, id, owner, instance, prefixes, alive: true, said: undefined }
    this.#incarnations.push(incarnation)
    this.#byCell.set(cell, incarnation)
    this.#beginning = incarnation
  }

  /** The incarnation that has just begun. */
  get beginning(): Incarnation {
    if (this.#beginning === undefined) throw new Error('nothing began')
    return this.#beginning
  }

  /** A worker speaks. */
  say(worker: Incarnation, kind: EventKind, reason: string): void {
    worker.said = kind
    this.add({ owner: worker.owner, kind, id: worker.id, reason })
  }

  end(cell: Cell, reason: ExitReason): void {
    const gone = this.#byCell.get(cell)
    if (gone === undefined) return // it failed to start
    gone.alive = false
    const { owner, id, instance, said } = gone
    if (instance !== undefined) this.add({ owner, kind: 'sup_exit', id: instance, reason: this.describe(reason) })
    else if (said !== 'stop' && said !== 'exits') this.add({ owner, kind: 'killed', id, reason: this.describe(reason) })
  }

  add(event: TraceEvent): void {
    this.#events.push({ ...event, atMs: this.#clock.now() })
  }

  /** What was written since the last time. */
  take(): readonly TraceEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  // ---------------------------------------------------------------- who is there

  living(id: string): Ref | undefined {
    const found = this.#newest(id)
    return found?.said === undefined ? found?.cell.ref : undefined
  }

  livingSupervisors(): readonly { readonly id: string; readonly cell: Cell }[] {
    return this.#incarnations
      .filter(({ alive, instance }) => alive && instance !== undefined)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** The living incarnation of the supervisor `id`. */
  ownerBelow(id: string): string {
    return this.#newest(id)?.instance ?? ''
  }

  /** Whether a stubborn worker ignores its signal and is still there. */
  get somebodyWaits(): boolean {
    return this.#incarnations.some(({ alive, said }) => alive && said === 'ignores_signal')
  }

  #newest(id: string): Incarnation | undefined {
    return this.#incarnations.findLast((each) => each.alive && each.id === id)
  }

  // ---------------------------------------------------------------- words

  /** An exit reason in the words of the oracle. */
  describe(reason: ExitReason): string {
    if (reason.kind === 'crash') return this.failureOf(reason.error)
    if (reason.kind === 'shutdown' && typeof reason.detail === 'string') return `shutdown(${reason.detail})`
    return reason.kind
  }

  /** Names the child that did not start, of a supervisor that therefore did not. */
  failureOf(error: unknown): string {
    if (!(error instanceof errors.StartFailedError)) return 'crash'
    const [path = ''] = error.message.split(' ')
    // What still cleans up is wrapped once more: as the root's own failure.
    if (path === '/user/root') return this.failureOf(error.cause)
    const cut = path.lastIndexOf('/')
    const above = this.#incarnations.findLast(({ cell }) => cell.path === path.slice(0, cut))
    return `failed_to_start(${above === undefined ? path : this.idOf(path.slice(cut + 1), above.cell)})`
  }
}
