/* eslint-disable no-restricted-imports -- this adapter is the edge: it is made of sockets */
import { connect, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { Link, type LinkEnds, type LinkFaults } from './link.ts'
import { reset } from './reset.ts'

/** From the client to the target, or back. */
export type Direction = 'toTarget' | 'toClient'

export interface TunnelOptions {
  readonly clock: Clock
  readonly random: Random
  readonly target: { readonly host: string; readonly port: number }
  readonly faults: (direction: Direction) => LinkFaults
  /** How many of these bytes may pass, and whether the connection is to be cut after them. */
  readonly admit: (direction: Direction, bytes: number) => { readonly bytes: number; readonly isLast: boolean }
  readonly onClosed: (wasConnected: boolean) => void
}

/** One connection through a proxy: two sockets, and a link for each direction. */
export class Tunnel {
  readonly #client: Socket
  readonly #target: Socket
  readonly #links: Readonly<Record<Direction, Link>>
  readonly #options: TunnelOptions
  readonly #closed = Promise.withResolvers<void>()
  #isConnected = false
  #open = 2

  /** Takes over `client`, which must be paused and allow half-open. */
  constructor(client: Socket, options: TunnelOptions) {
    const { clock, random, target, faults } = options
    this.#options = options
    this.#client = client
    this.#target = connect({ ...target, allowHalfOpen: true, noDelay: true })
    this.#links = {
      toTarget: new Link(
        clock,
        random.fork('toTarget'),
        () => faults('toTarget'),
        this.#ends('toTarget', client, this.#target),
      ),
      toClient: new Link(
        clock,
        random.fork('toClient'),
        () => faults('toClient'),
        this.#ends('toClient', this.#target, client),
      ),
    }
    this.#target.once('connect', () => {
      this.#isConnected = true
    })
    this.#wire(client, this.#links.toTarget, this.#links.toClient)
    this.#wire(this.#target, this.#links.toClient, this.#links.toTarget)
    client.resume()
  }

  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** Faults have changed. */
  pass(): void {
    this.#links.toTarget.pass()
    this.#links.toClient.pass()
  }

  /** Resets both sides (RST): neither gets an end, and both get an error. */
  cut(): void {
    this.#closeLinks()
    reset(this.#client)
    reset(this.#target)
  }

  destroy(): void {
    this.#closeLinks()
    this.#client.destroy()
    this.#target.destroy()
  }

  #closeLinks(): void {
    this.#links.toTarget.close()
    this.#links.toClient.close()
  }

  /** What `socket` sends goes into `out`; what it can take comes from `into`. */
  #wire(socket: Socket, out: Link, into: Link): void {
    socket.on('data', (bytes: Uint8Array) => {
      out.push(bytes)
    })
    socket.on('drain', () => {
      into.drained()
    })
    socket.once('end', () => {
      out.finish()
    })
    socket.once('error', () => {
      out.abort()
    })
    socket.once('close', () => {
      this.#open -= 1
      if (this.#open > 0) return
      this.#closeLinks()
      this.#closed.resolve()
      this.#options.onClosed(this.#isConnected)
    })
  }

  #ends(direction: Direction, source: Socket, sink: Socket): LinkEnds {
    return {
      write: (bytes) => {
        if (sink.destroyed) return true
        const admitted = this.#options.admit(direction, bytes.length)
        if (!admitted.isLast) return sink.write(bytes)
        this.#closeLinks()
        // The system has them once they are called written: a reset sent before could overtake them.
        sink.write(bytes.subarray(0, admitted.bytes), () => {
          this.cut()
        })
        return true
      },
      end: () => {
        sink.end()
      },
      reset: () => {
        reset(sink)
      },
      hold: () => {
        source.pause()
      },
      release: () => {
        source.resume()
      },
    }
  }
}
