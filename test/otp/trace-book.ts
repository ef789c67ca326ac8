import { errors, type ExitReason, type Ref, type Runtime, type RuntimeEventOf } from 'echelon'
import type { StartResult } from './case.ts'
import type { EventKind, TraceEvent } from './trace.ts'

/** One incarnation of an actor under test. For workers it is their state. */
export interface Incarnation {
  readonly path: string
  readonly id: string
  /** The supervisor incarnation above it, `root#1`; empty for the root. */
  readonly owner: string
  /** Its own, when it is a supervisor. */
  readonly instance: string | undefined
  alive: boolean
  /** A worker's last word. */
  said: EventKind | undefined
}

/** Writes down what happens in a runtime as the oracle does for Erlang: who starts, who ends, in order. */
export class TraceBook {
  readonly #runtime: Runtime
  readonly #incarnations: Incarnation[] = []
  readonly #attempts = new Map<string, number>()
  /** Ids that are not simply the last segment of the path. Below a dynamic child each id begins with its name. */
  readonly #places = new Map<string, string>()
  readonly #unsubscribe: readonly (() => void)[]
  #events: TraceEvent[] = []
  /** The path whose logic begins. */
  #spawning = ''

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#unsubscribe = [
      runtime.on('spawned', (event) => {
        this.#spawned(event)
      }),
      runtime.on('stopped', (event) => {
        this.#stopped(event)
      }),
    ]
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  /** The actor at `path` is known as `id`: the root, or a dynamic child. */
  place(path: string, id: string): void {
    this.#places.set(path, id)
  }

  idOf(path: string): string {
    const known = this.#places.get(path)
    if (known !== undefined) return known
    const cut = path.lastIndexOf('/')
    const [above, segment] = [path.slice(0, cut), path.slice(cut + 1)]
    return this.#isBelowDynamic(above) ? `${this.idOf(above)}.${segment}` : segment
  }

  #isBelowDynamic(path: string): boolean {
    for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
      const known = this.#places.get(at)
      if (known !== undefined) return known !== 'root'
    }
    return false
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

  /** A worker begins: its state, unless its script says that this start fails. */
  startWorker(script: readonly StartResult[]): Incarnation {
    const path = this.#spawning
    const worker: Incarnation = {
      path,
      id: this.idOf(path),
      owner: this.#ownerAt(path.slice(0, path.lastIndexOf('/'))),
      instance: undefined,
      alive: true,
      said: undefined,
    }
    const fails = this.attempt(worker.id, script) === 'fail'
    this.add({ owner: worker.owner, kind: fails ? 'start_failed' : 'start', id: worker.id, reason: '' })
    if (fails) throw new Error('nope')
    this.#incarnations.push(worker)
    return worker
  }

  /** A worker speaks. */
  say(worker: Incarnation, kind: EventKind, reason: string): void {
    worker.said = kind
    this.add({ owner: worker.owner, kind, id: worker.id, reason })
  }

  // ---------------------------------------------------------------- who is there

  living(id: string): Ref | undefined {
    const found = this.#newest((each) => each.id === id)
    return found?.said === undefined && found !== undefined ? this.#runtime.ref(found.path) : undefined
  }

  livingSupervisors(): readonly { readonly id: string; readonly ref: Ref }[] {
    return this.#incarnations
      .filter(({ alive, instance }) => alive && instance !== undefined)
      .flatMap(({ id, path }) => {
        const ref = this.#runtime.ref(path)
        return ref === undefined ? [] : [{ id, ref }]
      })
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  pathOf(id: string): string {
    return this.#newest((each) => each.id === id)?.path ?? ''
  }

  /** The living incarnation of the supervisor `id`. */
  ownerBelow(id: string): string {
    return this.#newest((each) => each.id === id)?.instance ?? ''
  }

  /** Whether a stubborn worker ignores its signal and is still there. */
  get somebodyWaits(): boolean {
    return this.#incarnations.some(({ alive, said }) => alive && said === 'ignores_signal')
  }

  #ownerAt(path: string): string {
    return this.#newest((each) => each.path === path)?.instance ?? ''
  }

  #newest(is: (each: Incarnation) => boolean): Incarnation | undefined {
    return this.#incarnations.findLast((each) => each.alive && is(each))
  }

  // ---------------------------------------------------------------- events

  add(event: TraceEvent): void {
    this.#events.push(event)
  }

  /** What was written since the last time. */
  take(): readonly TraceEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  #spawned({ path, parent, definition }: RuntimeEventOf<'spawned'>): void {
    this.#spawning = path
    if (definition !== 'supervisor') return
    const id = this.idOf(path)
    const count = this.#incarnations.filter((each) => each.id === id).length + 1
    const [owner, instance] = [this.#ownerAt(parent ?? ''), `${id}#${count}`]
    this.#incarnations.push({ path, id, owner, instance, alive: true, said: undefined })
    this.add({ owner, kind: 'sup_start', id: instance, reason: '' })
  }

  #stopped({ path, reason }: RuntimeEventOf<'stopped'>): void {
    const candidates = this.#incarnations.filter((each) => each.alive && each.path === path)
    // An orphan ends at the address of its successor: the successor is the one that the address leads to.
    const gone = this.#runtime.ref(path)?.isRunning === true ? candidates[0] : candidates.at(-1)
    if (gone === undefined) return
    gone.alive = false
    const { owner, id, instance, said } = gone
    if (instance !== undefined) this.add({ owner, kind: 'sup_exit', id: instance, reason: this.describe(reason) })
    else if (said !== 'stop' && said !== 'exits') this.add({ owner, kind: 'killed', id, reason: this.describe(reason) })
  }

  /** An exit reason in the words of the oracle. */
  describe(reason: ExitReason): string {
    if (reason.kind === 'crash') return this.failureOf(reason.error)
    if (reason.kind === 'shutdown' && reason.detail !== undefined) return `shutdown(${String(reason.detail)})`
    return reason.kind
  }

  failureOf(error: unknown): string {
    if (!(error instanceof errors.StartFailedError)) return 'crash'
    const [path = ''] = error.message.split(' ')
    return `failed_to_start(${this.idOf(path)})`
  }
}
