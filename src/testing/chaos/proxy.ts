/* eslint-disable no-restricted-imports -- this adapter is the edge: it listens on a socket */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { systemClock, type Clock } from '../../core/clock.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { freshSeed, seededRandom, type Random } from '../../core/random.ts'
import { noFaults, type LinkFaults } from './link.ts'
import { reset } from './reset.ts'
import { Tunnel, type Direction } from './tunnel.ts'

export interface ChaosProxyOptions {
  /** Where connections go: a port of this machine, or of another. */
  readonly target: number | { readonly host?: string; readonly port: number }
  /** What decides jitter and the size of pieces. Default: a fresh one, which `seed` tells. */
  readonly seed?: number | string
  /** Connections at once; others are reset. Default 1000. */
  readonly maxConnections?: number
  readonly clock?: Clock
}

/** Which direction a fault is in. Default: both. */
export interface InDirection {
  readonly direction?: Direction | 'both'
}

export interface ProxyStats {
  /** Since the start. */
  readonly accepted: number
  /** Now, with those that wait for the end of a partition. */
  readonly open: number
  readonly cut: number
  /** Connections that the target did not take. */
  readonly unreachable: number
  /** Bytes passed on. */
  readonly bytes: Readonly<Record<Direction, number>>
}

/**
 * A TCP proxy on 127.0.0.1 that does what networks do. Faults hold for connections that are open and for new ones, and can
 * be combined. What passes comes out whole and in order: a stream that loses bytes in its middle is not TCP.
 */
export interface ChaosProxy extends AsyncDisposable {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly seed: string
  readonly stats: ProxyStats
  /** All bytes come `ms` later, and up to `jitterMs` more. 0 ends it. */
  latency(ms: number, options?: InDirection & { readonly jitterMs?: number }): void
  /** `Infinity` ends it. */
  bandwidth(bytesPerSecond: number, options?: InDirection): void
  /** Bytes come in pieces of 1 to `mostBytes`, a millisecond apart. `Infinity` ends it. */
  chunks(mostBytes: number, options?: InDirection): void
  /** Resets all connections that are open (RST), and says how many. */
  cut(): number
  /** Once: the connection that carries the last of the next `bytes` in this direction (to the target) is reset after it. */
  cutAfter(bytes: number, direction?: Direction): void
  /** Half-open: nothing passes in this direction, and nobody is told. */
  stall(direction: Direction): void
  flow(direction?: Direction | 'both'): void
  /** New connections are refused (ECONNREFUSED); those that are open stay. */
  refuse(): Promise<void>
  /** Rejects when another process has taken the port meanwhile. */
  accept(): Promise<void>
  /** Nothing passes at all. New connections are made and wait: only packets of one's own could be withheld. */
  partition(): void
  heal(): void
  /** Ends all faults. */
  calm(): Promise<void>
}

/**
 * Starts a proxy before `target`, without a fault yet. It listens on 127.0.0.1 only, on a free port.
 *
 * Rejects with `DEFINITION_INVALID` for wrong options; the verbs throw the same for wrong figures.
 */
export async function chaosProxy(options: ChaosProxyOptions): Promise<ChaosProxy> {
  const proxy = new ListeningProxy(options)
  await proxy.accept()
  return proxy
}

const host = '127.0.0.1'

class ListeningProxy implements ChaosProxy {
  readonly host = host
  readonly seed: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #target: { readonly host: string; readonly port: number }
  readonly #maxConnections: number
  readonly #tunnels = new Set<Tunnel>()
  /** Connections that were made in a partition. */
  readonly #waiting = new Set<Socket>()
  readonly #faults: Record<Direction, LinkFaults> = { toTarget: noFaults, toClient: noFaults }
  readonly #bytes: Record<Direction, number> = { toTarget: 0, toClient: 0 }
  #server: Server | undefined
  #port = 0
  #isPartitioned = false
  #cutAfter: { readonly direction: Direction; bytes: number } | undefined
  #accepted = 0
  #opened = 0
  #cut = 0
  #unreachable = 0

  constructor({ target, seed = freshSeed(), maxConnections = 1000, clock = systemClock }: ChaosProxyOptions) {
    const { host: targetHost = host, port } = typeof target === 'number' ? { port: target } : target
    requireWhole('target.port', port, 1, 65_535)
    requireWhole('maxConnections', maxConnections, 1, Infinity)
    this.seed = String(seed)
    this.#random = seededRandom(seed).fork('proxy')
    this.#target = { host: targetHost, port }
    this.#maxConnections = maxConnections
    this.#clock = clock
  }

  get port(): number {
    return this.#port
  }

  get stats(): ProxyStats {
    return {
      accepted: this.#accepted,
      open: this.#tunnels.size + this.#waiting.size,
      cut: this.#cut,
      unreachable: this.#unreachable,
      bytes: { ...this.#bytes },
    }
  }

  latency(ms: number, { jitterMs = 0, direction }: InDirection & { readonly jitterMs?: number } = {}): void {
    requireFigure('latency', ms, 0, Infinity)
    requireFigure('jitterMs', jitterMs, 0, Infinity)
    this.#change(direction, { latencyMs: ms, jitterMs })
  }

  bandwidth(bytesPerSecond: number, { direction }: InDirection = {}): void {
    if (bytesPerSecond !== Infinity) requireFigure('bandwidth', bytesPerSecond, 1, Infinity)
    this.#change(direction, { bytesPerSecond })
  }

  chunks(mostBytes: number, { direction }: InDirection = {}): void {
    if (mostBytes !== Infinity) requireWhole('chunks', mostBytes, 1, 2 ** 32)
    this.#change(direction, { chunkBytes: mostBytes })
  }

  cut(): number {
    const cut = this.#tunnels.size + this.#waiting.size
    this.#cut += cut
    for (const tunnel of this.#tunnels) tunnel.cut()
    for (const client of this.#waiting) reset(client)
    return cut
  }

  cutAfter(bytes: number, direction: Direction = 'toTarget'): void {
    requireWhole('cutAfter', bytes, 1, Infinity)
    this.#cutAfter = { direction, bytes }
  }

  stall(direction: Direction): void {
    this.#change(direction, { isStalled: true })
  }

  flow(direction: Direction | 'both' = 'both'): void {
    this.#change(direction, { isStalled: false })
  }

  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    // It listens no more at once; `close` would come with the last connection.
    server?.close()
    await Promise.resolve()
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
      this.#take(client)
    })
    this.#server = server
    server.listen(this.#port, host)
    try {
      await once(server, 'listening')
    } catch (error) {
      this.#server = undefined
      throw error
    }
    const address = server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  partition(): void {
    this.#isPartitioned = true
  }

  heal(): void {
    this.#isPartitioned = false
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const client of waiting) this.#open(client)
    this.#passAll()
  }

  async calm(): Promise<void> {
    this.#cutAfter = undefined
    this.#faults.toTarget = noFaults
    this.#faults.toClient = noFaults
    this.heal()
    await this.accept()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse()
    const closing = [...this.#tunnels].map((tunnel) => tunnel.closed)
    for (const tunnel of this.#tunnels) tunnel.destroy()
    for (const client of this.#waiting) client.destroy()
    await Promise.all(closing)
  }

  #change(direction: Direction | 'both' = 'both', change: Partial<LinkFaults>): void {
    for (const one of ['toTarget', 'toClient'] as const)
      if (direction === one || direction === 'both') this.#faults[one] = { ...this.#faults[one], ...change }
    this.#passAll()
  }

  #passAll(): void {
    for (const tunnel of this.#tunnels) tunnel.pass()
  }

  #take(client: Socket): void {
    this.#accepted += 1
    if (this.#tunnels.size + this.#waiting.size >= this.#maxConnections) {
      reset(client)
      return
    }
    if (!this.#isPartitioned) {
      this.#open(client)
      return
    }
    this.#waiting.add(client)
    // One that is reset meanwhile tells so by its close.
    client.on('error', () => undefined)
    client.once('close', () => this.#waiting.delete(client))
  }

  #open(client: Socket): void {
    this.#opened += 1
    const tunnel: Tunnel = new Tunnel(client, {
      clock: this.#clock,
      random: this.#random.fork(`connection ${this.#opened}`),
      target: this.#target,
      faults: (direction) => this.#faultsIn(direction),
      admit: (direction, bytes) => this.#admit(direction, bytes),
      onClosed: (wasConnected) => {
        this.#tunnels.delete(tunnel)
        if (!wasConnected) this.#unreachable += 1
      },
    })
    this.#tunnels.add(tunnel)
  }

  #faultsIn(direction: Direction): LinkFaults {
    return this.#isPartitioned ? { ...this.#faults[direction], isStalled: true } : this.#faults[direction]
  }

  #admit(direction: Direction, bytes: number): { readonly bytes: number; readonly isLast: boolean } {
    const rule = this.#cutAfter?.direction === direction ? this.#cutAfter : undefined
    const admitted = Math.min(bytes, rule?.bytes ?? bytes)
    this.#bytes[direction] += admitted
    if (rule === undefined) return { bytes, isLast: false }
    rule.bytes -= admitted
    if (rule.bytes > 0) return { bytes, isLast: false }
    this.#cutAfter = undefined
    this.#cut += 1
    return { bytes: admitted, isLast: true }
  }
}

function requireFigure(what: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most && value < Infinity) return
  throw new DefinitionInvalidError('chaosProxy', `${what} is ${value}: give a number of ${least} or more`)
}

function requireWhole(what: string, value: number, least: number, most: number): void {
  requireFigure(what, value, least, most)
  if (!Number.isInteger(value))
    throw new DefinitionInvalidError('chaosProxy', `${what} is ${value}: give a whole number`)
}
