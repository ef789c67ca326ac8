import type { TimerHandle } from '../../core/clock.ts'
import { DueItem, TimerHeap } from '../timer-heap.ts'
import type { Decisions } from './decisions.ts'
import { unwatched } from './escapes.ts'
import type { Zone } from './zone.ts'

/** Saved before anybody can put something else in its place. */
// eslint-disable-next-line no-restricted-globals -- a world goes on by the real event loop, whatever stands in for it
const realSetImmediate = setImmediate

/** Of those that are due at one time, so many may be next. */
const mostDue = 8
/** Steps without any time passing after which the world is taken to turn in a circle. */
const mostAtOnce = 200_000

/** Something that happens to a zone at a time: a timer, an answer of a disk or of a service. */
class WorldEvent extends DueItem {
  readonly zone: Zone
  readonly label: string
  /** Whether it comes after all timers of its zone that are due before it, as in an event loop. */
  readonly isTimer: boolean

  constructor(zone: Zone, label: string, dueMs: number, order: number, fn: () => void, isTimer: boolean) {
    super(fn, dueMs, order)
    this.zone = zone
    this.label = label
    this.isTimer = isTimer
  }
}

export interface KernelOptions {
  readonly decisions: Decisions
  /** Epoch milliseconds when the world begins. */
  readonly epochMs: number
  /** Called when a turn or an event throws: nobody else would learn of it. */
  readonly onUncaught: (zone: Zone, error: unknown) => void
  /** Called after each step, when everything that it set off by promises has happened. */
  readonly afterStep: () => void
}

/** What a step came to: something ran, or nothing can run before a time, or ever. */
export type Step = { readonly kind: 'ran' } | { readonly kind: 'nothing' }

/**
 * The event loop of a simulated world. A step runs one turn of one zone, or one event that is due, and then lets promises
 * go on until none can. Time passes only when no zone has a turn to take, to the next event.
 *
 * 1. Who is next is a decision; with all decisions 0, whoever became ready first.
 * 2. Nothing of a dead zone runs, and nothing of a paused one before its pause is over.
 * 3. `current` is whose code runs, also after an `await`, until the step is over.
 */
export class SimulationKernel {
  readonly decisions: Decisions
  readonly epochMs: number
  readonly #options: KernelOptions
  readonly #zones = new Set<Zone>()
  readonly #events = new TimerHeap<WorldEvent>()
  /** What fell due for zones that are paused. */
  readonly #parked = new Map<Zone, Set<WorldEvent>>()
  #nowMs = 0
  #order = 0
  #steps = 0
  #stepsAtOnce = 0
  #current: Zone | undefined

  constructor(options: KernelOptions) {
    this.#options = options
    this.decisions = options.decisions
    this.epochMs = options.epochMs
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Steps so far. */
  get steps(): number {
    return this.#steps
  }

  get current(): Zone | undefined {
    return this.#current
  }

  /** When the next event is due; undefined when there is none. */
  get nextDueMs(): number | undefined {
    return this.#events.first?.dueMs
  }

  nextOrder(): number {
    this.#order += 1
    return this.#order
  }

  add(zone: Zone): void {
    this.#zones.add(zone)
    zone.onDeath(() => {
      this.#zones.delete(zone)
      this.#parked.delete(zone)
    })
  }

  /** Calls `fn` as a step of `zone` after `delayMs`, unless it is dead then. */
  after(zone: Zone, label: string, delayMs: number, fn: () => void): TimerHandle {
    return this.#add(zone, label, delayMs, fn, false)
  }

  /** As `after`, in order with the other timers of the zone: no event loop fires a later one first. */
  timer(zone: Zone, label: string, delayMs: number, fn: () => void): TimerHandle {
    return this.#add(zone, label, delayMs, fn, true)
  }

  #add(zone: Zone, label: string, delayMs: number, fn: () => void, isTimer: boolean): TimerHandle {
    const event = new WorldEvent(zone, label, this.#nowMs + delayMs, this.nextOrder(), fn, isTimer)
    // What is due after for ever is never due.
    if (zone.isAlive && event.dueMs < Infinity) this.#events.add(event)
    return event
  }

  cancel(handle: TimerHandle | undefined): void {
    if (!(handle instanceof WorldEvent)) return
    if (this.#events.has(handle)) this.#events.remove(handle)
    else this.#parked.get(handle.zone)?.delete(handle)
  }

  /** Runs `code` as that of `zone`. */
  within<T>(zone: Zone, code: () => T): T {
    const saved = this.#current
    this.#current = zone
    try {
      return code()
    } finally {
      this.#current = saved
    }
  }

  /** Which of those that are ready is next. */
  pick(stream: string, labels: readonly string[]): number {
    if (labels.length <= 1) return 0
    const { decisions } = this
    return decisions
      .stream(stream, 'schedule')
      .choose(labels.length, (random) => decisions.strategy.pick(labels, random))
  }

  /**
   * One step. `untilMs`: no event after that time is waited for. Rejects when time does not get on.
   *
   * Its code runs in one macrotask of the real event loop, and the next one ends it. Both are asked for together, so they
   * follow each other: what the step set off by promises comes between them, and nothing of the process outside does.
   */
  step(untilMs: number): Promise<Step> {
    return new Promise((resolve, reject) => {
      let step: Step | undefined
      const begin = (): void => {
        try {
          step = this.#begin(untilMs)
        } catch (error) {
          reject(error)
        }
      }
      const end = (): void => {
        this.#current = undefined
        try {
          if (step?.kind === 'ran') this.#options.afterStep()
          if (step !== undefined) resolve(step)
        } catch (error) {
          reject(error)
        }
      }
      unwatched(() => {
        realSetImmediate(begin)
        realSetImmediate(end)
      })
    })
  }

  #begin(untilMs: number): Step {
    const next = this.#next(untilMs)
    if (next === undefined) return { kind: 'nothing' }
    this.#steps += 1
    this.#stepsAtOnce += 1
    if (this.#stepsAtOnce > mostAtOnce)
      throw new RangeError(`${mostAtOnce} steps at ${this.#nowMs} ms: time does not get on`)
    this.#current = next.zone
    try {
      next.run()
    } catch (error) {
      this.#options.onUncaught(next.zone, error)
    }
    return { kind: 'ran' }
  }

  /** Lets time pass to `untilMs` when nothing is left to do before it. */
  passTo(untilMs: number): void {
    this.#passTo(untilMs)
  }

  #next(untilMs: number): { readonly zone: Zone; readonly run: () => void } | undefined {
    for (;;) {
      this.#unpark()
      const zones = this.#readyZones()
      const due = this.#due()
      if (zones.length + due.length > 0) return this.#choose(zones, due)
      const nextMs = this.#nextMs()
      if (nextMs === undefined || nextMs > untilMs) return undefined
      this.#passTo(nextMs)
    }
  }

  #readyZones(): Zone[] {
    const ready: Zone[] = []
    for (const zone of this.#zones) if (zone.readySince !== undefined && zone.canRun) ready.push(zone)
    return ready.length < 2 ? ready : ready.sort((a, b) => (a.readySince ?? 0) - (b.readySince ?? 0))
  }

  /** What fell due in a pause that is over is due now. */
  #unpark(): void {
    for (const [zone, events] of this.#parked) {
      if (zone.isPaused) continue
      this.#parked.delete(zone)
      for (const event of events) this.#events.add(event)
    }
  }

  /** Events that may be next, `mostDue` at most; what cannot happen is dropped, or parked until the end of a pause. */
  #due(): WorldEvent[] {
    const due: WorldEvent[] = []
    const later: WorldEvent[] = []
    const heap = this.#events
    const withTimer = new Set<Zone>()
    for (let event = heap.first; event !== undefined && event.dueMs <= this.#nowMs; event = heap.first) {
      heap.remove(event)
      const { zone } = event
      if (!zone.isAlive) continue
      if (zone.isPaused) this.#park(event)
      else if (event.isTimer && withTimer.has(zone)) later.push(event)
      else due.push(event)
      if (event.isTimer) withTimer.add(zone)
      if (due.length + later.length >= mostDue) break
    }
    for (const event of due) heap.add(event)
    for (const event of later) heap.add(event)
    return due
  }

  #park(event: WorldEvent): void {
    const events = this.#parked.get(event.zone) ?? new Set()
    this.#parked.set(event.zone, events.add(event))
  }

  #nextMs(): number | undefined {
    let nextMs = this.#events.first?.dueMs
    for (const zone of this.#zones) {
      if (!zone.isPaused || (zone.readySince === undefined && !this.#parked.has(zone))) continue
      nextMs = Math.min(nextMs ?? Infinity, zone.pausedUntilMs)
    }
    return nextMs
  }

  /** Turns before events, since an event loop looks at timers and sockets after them; both in order of age. */
  #choose(zones: readonly Zone[], due: readonly WorldEvent[]): { readonly zone: Zone; readonly run: () => void } {
    const labels = [...zones.map(({ name }) => name), ...due.map(({ label }) => label)]
    const index = this.pick('step', labels)
    const zone = zones[index]
    if (zone !== undefined) return { zone, run: zone.takeTurn() ?? nothing }
    const event = due[index - zones.length] ?? due[0]
    if (event === undefined) throw new Error('nothing to choose from')
    this.#events.remove(event)
    return { zone: event.zone, run: event.fn }
  }

  #passTo(ms: number): void {
    if (!(ms > this.#nowMs)) return
    this.#nowMs = ms
    this.#stepsAtOnce = 0
  }
}

const nothing = (): void => undefined
