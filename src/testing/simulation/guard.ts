import { problemOf, type Invariant, type Probe, type Verdict } from './invariant.ts'
import type { conditionsOf } from './scenario.ts'
import type { World } from './world.ts'

interface HeldInvariant {
  readonly name: string
  readonly probe: Probe
}

/** The parts of a probe that are told of something. */
type Told = Exclude<keyof Probe, 'step' | 'quiet'>

export interface GuardOptions {
  readonly invariants: readonly Invariant[]
  readonly conditions: ReturnType<typeof conditionsOf>
  /** Called with the name of an invariant that does not hold. */
  readonly onBroken: (invariant: string, message: string, error: unknown) => void
  /** Whether the world is over already. */
  readonly isOver: () => boolean
}

/** What watches over one world: its invariants, and what it should come by. */
export class Guard {
  readonly #world: World
  readonly #options: GuardOptions
  readonly #held: readonly HeldInvariant[]
  readonly #reached = new Set<string>()
  #checking: string | undefined

  constructor(world: World, options: GuardOptions) {
    this.#world = world
    this.#options = options
    this.#held = options.invariants.map((invariant) => ({ name: invariant.name, probe: invariant.begin(world) }))
  }

  /** The invariant that is looked at now: what fails then is its failure. */
  get checking(): string | undefined {
    return this.#checking
  }

  get reached(): ReadonlySet<string> {
    return this.#reached
  }

  reach(name: string): void {
    this.#reached.add(name)
  }

  /** Tells all who want to know. */
  tell<Part extends Told>(part: Part, ...args: Parameters<NonNullable<Probe[Part]>>): void {
    for (const held of this.#held) {
      // The arguments are those of this part.
      const told = held.probe[part] as ((...args: unknown[]) => void) | undefined
      if (told !== undefined) this.#ask(held, () => told.apply(held.probe, args))
    }
  }

  /** A step is over. */
  step(): void {
    for (const held of this.#held) if (held.probe.step !== undefined) this.#ask(held, () => held.probe.step?.())
    for (const [name, condition] of this.#options.conditions) if (!this.#reached.has(name)) this.#look(name, condition)
  }

  #look(name: string, condition: (world: World) => boolean): void {
    try {
      if (condition(this.#world)) this.#reached.add(name)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      this.#options.onBroken('sometimes', `'${name}' cannot be looked at: ${text}`, error)
    }
  }

  /** Everything is mended and nothing is left to do: what has to hold then. */
  quiet(): void {
    for (const held of this.#held) this.#ask(held, () => held.probe.quiet?.())
  }

  #ask(held: HeldInvariant, ask: () => Verdict | void): void {
    if (this.#options.isOver()) return
    const saved = this.#checking
    this.#checking = held.name
    try {
      const problem = problemOf(ask())
      if (problem !== undefined) this.#options.onBroken(held.name, problem, undefined)
    } catch (error) {
      this.#options.onBroken(held.name, error instanceof Error ? error.message : String(error), error)
    } finally {
      this.#checking = saved
    }
  }
}
