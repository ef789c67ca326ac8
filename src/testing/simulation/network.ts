import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Connection, ConnectionHandlers, Network } from '../../core/network.ts'
import { Pipe, travelMs } from './pipe.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import type { Zone } from './zone.ts'

/** Milliseconds that a network stays cut when a fault cut it, by degree. */
const cutMs = [200, 5000, 60_000]

/** Who takes connections at an address. */
interface Listener {
  readonly zone: Zone
  readonly accept: (connection: Connection) => ConnectionHandlers
}

/** What goes wrong with an attempt to connect, from 1. */
const connectFaults = ['refused', 'never answered', 'accepted, and then silence'] as const
/** What goes wrong at a frame, from 1. */
const frameFaults = ['reset', 'one direction stalls', 'cut off', 'closed by the other end', 'swizzled'] as const
/** Codes with which the other end may close: it goes away, refuses, fails, is overloaded. */
const closeCodes = [1001, 1008, 1011, 1012, 1013] as const

const pairsOf = (a: readonly string[], b: readonly string[]): readonly string[] =>
  a.flatMap((from) => b.map((to) => `${from} ${to}`))
const bothWays = (a: readonly string[], b: readonly string[]): readonly string[] => [...pairsOf(a, b), ...pairsOf(b, a)]

/**
 * The network between the nodes of a world. Connections behave as TCP does: nothing is lost, doubled or reordered within
 * one, they are slow, stall in one direction without a word, and break. On addresses that a scenario declares lossy
 * frames are datagrams, which may be lost, doubled and overtaken.
 */
export class SimulatedNetwork {
  readonly #world: SimulatedWorld
  readonly #listeners = new Map<string, Listener>()
  readonly #pipes = new Set<Pipe>()
  /** Pairs between which nothing arrives, as `from to`: by the scenario, and by each fault that is not over. */
  readonly #partitioned = new Set<string>()
  readonly #cuts = new Set<ReadonlySet<string>>()
  readonly #lossy = new Set<string>()

  constructor(world: SimulatedWorld) {
    this.#world = world
  }

  /** The network as the process `zone` has it. */
  of(zone: Zone): Network {
    return {
      listen: (address, accept) => this.#listen(zone, address, accept),
      connect: (address, handlers) => this.#connect(zone, address, handlers),
    }
  }

  // ---- for scenarios ------------------------------------------------------------------------------------------------

  /** From here on frames to this address are datagrams. */
  lossy(address: string): void {
    this.#lossy.add(address)
  }

  /**
   * Nothing arrives between the two sides, in both directions, or from `a` to `b` only. It waits, as TCP sends again.
   * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a node that there is not.
   */
  partition(a: readonly string[], b: readonly string[], { oneWay = false }: { readonly oneWay?: boolean } = {}): void {
    for (const name of [...a, ...b]) this.#world.node(name)
    for (const pair of oneWay ? pairsOf(a, b) : bothWays(a, b)) this.#partitioned.add(pair)
    this.#noteCut(a, b)
  }

  /** Everything arrives again. */
  heal(): void {
    this.#partitioned.clear()
    this.#cuts.clear()
    this.#flow()
  }

  /** Breaks every connection between two nodes: what was on its way is lost from some frame on. */
  reset(a: string, b: string): void {
    for (const pipe of [...this.#pipes]) if (pipe.isBetween(a, b)) pipe.break()
  }

  isCut(from: string, to: string): boolean {
    const pair = `${from} ${to}`
    if (this.#partitioned.has(pair)) return true
    for (const cut of this.#cuts) if (cut.has(pair)) return true
    return false
  }

  #noteCut(a: readonly string[], b: readonly string[]): void {
    this.#world.note(`partition ${a.join(',')} | ${b.join(',')}`)
  }

  #flow(): void {
    for (const pipe of [...this.#pipes]) pipe.flow()
  }

  // ---- connections --------------------------------------------------------------------------------------------------

  #listen(zone: Zone, address: string, accept: Listener['accept']): { close(): void } {
    const taken = this.#listeners.get(address)?.zone
    // A process that was taken for dead and wakes up does not get its address back.
    if (taken?.isAlive === true && !(taken.name === zone.name && taken.incarnation < zone.incarnation))
      throw new DefinitionInvalidError(`listen('${address}')`, 'somebody listens there already')
    const listener = { zone, accept }
    this.#listeners.set(address, listener)
    return {
      close: () => {
        if (this.#listeners.get(address) === listener) this.#listeners.delete(address)
      },
    }
  }

  #connect(zone: Zone, address: string, handlers: ConnectionHandlers): Connection {
    const world = this.#world
    const fault = this.#decide(`connect ${zone.name} ${address}`, connectFaults.length)
    if (fault > 0) world.noteFault(zone.name, `connection to ${address} ${connectFaults[fault - 1] ?? ''}`)
    const pipe = new Pipe(this, world, zone, address, handlers, this.#lossy.has(address))
    this.#pipes.add(pipe)
    if (fault === 1) pipe.refuse(this.#nameAt(address))
    else if (fault !== 2) this.#knock(pipe, zone.name, address, fault === 3)
    return pipe.near
  }

  /** Both ways have to be open, since somebody answers; while they are not, it is tried again. */
  #knock(pipe: Pipe, from: string, address: string, isSilent: boolean): void {
    const { kernel, outside } = this.#world
    kernel.after(outside, `connect ${address}`, travelMs, () => {
      const to = this.#nameAt(address)
      const listener = this.#listeners.get(address)
      if (this.isCut(from, to) || this.isCut(to, from))
        pipe.hold(() => {
          this.#knock(pipe, from, address, isSilent)
        })
      else if (listener?.zone.isAlive === true) pipe.accept(listener.zone, listener.accept, isSilent)
      else pipe.refuse(to)
    })
  }

  #nameAt(address: string): string {
    return this.#listeners.get(address)?.zone.name ?? address
  }

  /** A pipe is over. */
  forget(pipe: Pipe): void {
    this.#pipes.delete(pipe)
  }

  /** What happens to a connection as a frame is sent. */
  disturb(pipe: Pipe, from: string, to: string): void {
    const fault = this.#decide(`net ${from} ${to}`, frameFaults.length)
    const name = frameFaults[fault - 1]
    if (name === undefined) return
    this.#world.noteFault(from, `connection to ${to} ${name}`)
    const pick = (n: number): number =>
      this.#world.kernel.decisions.stream(`net degree ${from} ${to}`, 'value').uniform(n)
    if (name === 'reset') pipe.break()
    else if (name === 'one direction stalls') pipe.stall(from, cutMs[pick(cutMs.length)] ?? 0)
    else if (name === 'closed by the other end') pipe.closeFrom(to, closeCodes[pick(closeCodes.length)] ?? 1001)
    else if (name === 'cut off') this.#cutFor([from], [to], cutMs[pick(cutMs.length)] ?? 0)
    else this.#swizzle(pick)
  }

  #cutFor(a: readonly string[], b: readonly string[], ms: number): void {
    const cut = new Set(bothWays(a, b))
    this.#cuts.add(cut)
    this.#noteCut(a, b)
    const { kernel, outside } = this.#world
    kernel.after(outside, 'heal', ms, () => {
      if (this.#cuts.delete(cut)) this.#flow()
    })
  }

  /**
   * Nodes are cut off from all others, one after another, and come back in another order.
   * @see https://apple.github.io/foundationdb/testing.html, "swizzle-clogging"
   */
  #swizzle(pick: (n: number) => number): void {
    const { kernel, outside, nodes } = this.#world
    const names = nodes.map(({ name }) => name)
    names.forEach((name, index) => {
      const others = names.filter((other) => other !== name)
      kernel.after(outside, 'swizzle', index * 10, () => {
        if (!kernel.decisions.isCalm) this.#cutFor([name], others, 500 + 500 * pick(4))
      })
    })
  }

  #decide(stream: string, kinds: number): number {
    return this.#world.kernel.decisions.stream(stream, 'fault').fault(this.#world.rates.net, kinds)
  }
}
