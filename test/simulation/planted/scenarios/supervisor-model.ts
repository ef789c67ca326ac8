import type { Intensity, RestartType, Strategy } from 'echelon'

/** A child of the model. */
export interface ModelChild {
  readonly id: string
  readonly restart: RestartType
  /** Its restarts are counted apart. */
  readonly own?: Intensity
}

interface Held extends ModelChild {
  isUp: boolean
  readonly past: number[]
}

/**
 * Erlang/OTP's supervisor, in as few words as possible: which children stop and start, in which order, when one ends.
 * @see https://www.erlang.org/doc/apps/stdlib/supervisor.html
 */
export class SupervisorModel {
  readonly #strategy: Strategy
  readonly #intensity: Intensity
  readonly #past: number[] = []
  #children: readonly Held[]
  isUp = true

  constructor(strategy: Strategy, intensity: Intensity, children: readonly ModelChild[]) {
    this.#strategy = strategy
    this.#intensity = intensity
    this.#children = children.map((child) => ({ ...child, isUp: true, past: [] }))
  }

  isChildUp(id: string): boolean {
    return this.#children.some((child) => child.id === id && child.isUp)
  }

  /** What happens when a child that is up ends: `stopped b`, `started b`, in order. */
  ends(id: string, isClean: boolean, nowMs: number): readonly string[] {
    const child = this.#children.find((one) => one.id === id)
    if (child === undefined) return []
    child.isUp = false
    const first = `stopped ${id}`
    const isRestarted = child.restart === 'permanent' || (child.restart === 'transient' && !isClean)
    if (!isRestarted) {
      this.#forget(child)
      return [first]
    }
    const isTooMuch = tooMany(child.own ?? this.#intensity, child.own === undefined ? this.#past : child.past, nowMs)
    if (!isTooMuch) return [first, ...this.#restart(child)]
    if (child.own !== undefined) return [first]
    return [first, ...this.stop()]
  }

  /** All that are up stop, last first. */
  stop(): readonly string[] {
    this.isUp = false
    return this.#stopAll(this.#children)
  }

  #restart(failed: Held): readonly string[] {
    const from = this.#strategy === 'one_for_all' ? 0 : this.#children.indexOf(failed)
    const group = this.#strategy === 'one_for_one' ? [failed] : this.#children.slice(from)
    const stopped = this.#stopAll(group)
    for (const child of group) if (child !== failed) this.#forget(child)
    const started = group.filter((child) => this.#children.includes(child))
    for (const child of started) child.isUp = true
    return [...stopped, ...started.map(({ id }) => `started ${id}`)]
  }

  #stopAll(children: readonly Held[]): readonly string[] {
    const up = children.filter(({ isUp }) => isUp).toReversed()
    for (const child of up) child.isUp = false
    return up.map(({ id }) => `stopped ${id}`)
  }

  #forget(child: Held): void {
    if (child.restart === 'temporary') this.#children = this.#children.filter((other) => other !== child)
  }
}

/** Notes a restart: whether that is more than there may be in any such time. */
function tooMany({ restarts, withinMs }: Intensity, past: number[], nowMs: number): boolean {
  past.push(nowMs)
  return past.filter((atMs) => atMs >= nowMs - withinMs).length > restarts
}
