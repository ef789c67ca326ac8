import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Connection, ConnectionHandlers, Network } from '../../core/network.ts'
import { Pipe, travelMs } from './pipe.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import type { Zone } from './zone.ts'

/** Milliseconds until a connection that nobody answers is given up. */
const connectMs = 10_000
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

/**
 * The network between the nodes of a world. Connections behave as TCP does: nothing is lost, doubled or reordered within
 * one, they are slow, stall in one direction without a word, and break. On addresses that a scenario declares lossy
 * frames are datagrams, which may be lost, doubled and overtaken.
 */
export class SimulatedNetwork {
  readonly #world: SimulatedWorld
  readonly #listeners = new Map<string, Listener>()
  readonly #pipes = new Set<Pipe>()
  /** Pairs between which nothing arrives, as `from to`. */
  readonly #cut = new Set<string>()
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

  /** Nothing arrives between the two sides, in both directions, or from `a` to `b` only. It waits, as TCP sends again. */
  partition(a: readonly string[], b: readonly string[], { oneWay = false }: { readonly oneWay?: boolean } = {}): void {
    for (const from of a)
      for (const to of b) {
        this.#cut.add(`${from} ${to}`)
        if (!oneWay) this.#cut.add(`${to} ${from}`)
      }
    this.#world.note(`partition ${a.join(',')} | ${b.join(',')}`)
  }

  /** Everything arrives again. */
  heal(): void {
    this.#cut.clear()
    for (const pipe of this.#pipes) pipe.flow()
  }

  /** Breaks every connection between two nodes: what was on its way is lost from some frame on. */
  reset(a: string, b: string): void {
    for (const pipe of [...this.#pipes]) if (pipe.isBetween(a, b)) pipe.break()
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from} ${to}`)
  }

  // ---- connections --------------------------------------------------------------------------------------------------

  #listen(zone: Zone, address: string, accept: Listener['accept']): { close(): void } {
    if (this.#listeners.get(address)?.zone.isAlive === true)
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
    if (fault === 2 || this.isCut(zone.name, this.#nameAt(address))) pipe.giveUpAfter(connectMs)
    else
      world.kernel.after(world.outside, `connect ${address}`, travelMs, () => {
        this.#arrive(pipe, address, fault === 3)
      })
    if (fault === 1) pipe.giveUpAfter(travelMs)
    return pipe.near
  }

  #arrive(pipe: Pipe, address: string, isSilent: boolean): void {
    const listener = this.#listeners.get(address)
    if (listener?.zone.isAlive !== true) pipe.giveUpAfter(travelMs)
    else pipe.accept(listener.zone, listener.accept, isSilent)
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
    this.partition(a, b)
    const { kernel, outside } = this.#world
    kernel.after(outside, 'heal', ms, () => {
      for (const from of a)
        for (const to of b) for (const pair of [`${from} ${to}`, `${to} ${from}`]) this.#cut.delete(pair)
      for (const pipe of this.#pipes) pipe.flow()
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
        this.#cutFor([name], others, 500 + 500 * pick(4))
      })
    })
  }

  #decide(stream: string, kinds: number): number {
    return this.#world.kernel.decisions.stream(stream, 'fault').fault(this.#world.rates.net, kinds)
  }
}
