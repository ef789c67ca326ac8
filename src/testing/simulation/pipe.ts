import type { TimerHandle } from '../../core/clock.ts'
import type { Connection, ConnectionHandlers } from '../../core/network.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import type { Zone } from './zone.ts'

/** Milliseconds from one end to the other when nothing is odd. */
export const travelMs = 0.5
/** Milliseconds until a connection that nobody answers is given up. */
const connectMs = 10_000
const broken = { code: 1006, reason: '' }
/** Milliseconds until an end notices that the process of the other one is gone, when it notices. */
const noticeMs = 5

/** What goes wrong with a datagram, from 1. */
const datagramFaults = ['lost', 'doubled', 'overtaken'] as const
const overtakenMs = 40

/** What one end sends, on its way to the other. */
interface Direction {
  readonly waiting: (Uint8Array | { readonly code: number; readonly reason: string })[]
  bytes: number
  stalledUntilMs: number
  isMoving: boolean
}

/**
 * One connection: two ends, and what is on its way in each direction.
 *
 * 1. An end receives nothing before it is opened, and nothing after its end.
 * 2. While a direction is cut nothing gets through it, also no word that the connection is over.
 */
export class Pipe {
  readonly near: Connection
  readonly #network: SimulatedNetwork
  readonly #world: SimulatedWorld
  readonly #isLossy: boolean
  readonly #address: string
  readonly #nearEnd: End
  #farEnd: End | undefined
  /** What met a cut, and is tried again when something heals. */
  readonly #held: (() => void)[] = []
  readonly #givesUp: TimerHandle
  #isSilent = false
  #isBroken = false

  constructor(
    network: SimulatedNetwork,
    world: SimulatedWorld,
    zone: Zone,
    address: string,
    handlers: ConnectionHandlers,
    isLossy: boolean,
  ) {
    this.#network = network
    this.#world = world
    this.#isLossy = isLossy
    this.#address = address
    this.#nearEnd = new End(this, zone, address)
    this.#nearEnd.handlers = handlers
    this.near = this.#nearEnd
    this.#givesUp = world.kernel.after(zone, `connection ${address}`, connectMs, () => {
      this.near.terminate()
    })
  }

  isBetween(a: string, b: string): boolean {
    const names = [this.#nearEnd.zone.name, this.#farEnd?.zone.name]
    return names.includes(a) && names.includes(b)
  }

  /** Nobody takes connections there, and the machine `by` says so. */
  refuse(by: string): void {
    this.#tell(by, this.#nearEnd.zone, travelMs, () => {
      this.#nearEnd.end(broken)
    })
  }

  /** Calls `again` when something heals. */
  hold(again: () => void): void {
    this.#held.push(again)
  }

  /** Has `told` called in the process `to` after `ms`, and not before the way from `from` is open. */
  #tell(from: string, to: Zone, ms: number, told: () => void): void {
    this.#world.kernel.after(to, `connection ${this.#address}`, ms, () => {
      if (!this.#network.isCut(from, to.name)) told()
      else
        this.hold(() => {
          this.#tell(from, to, travelMs, told)
        })
    })
  }

  /** It reached somebody who takes connections. */
  accept(zone: Zone, accept: (connection: Connection) => ConnectionHandlers, isSilent: boolean): void {
    const near = this.#nearEnd
    if (near.isOver || !near.zone.isAlive) return
    const far = new End(this, zone, near.zone.name)
    this.#farEnd = far
    this.#isSilent = isSilent
    for (const end of [far, near])
      end.zone.onDeath(() => {
        this.#died(end)
      })
    this.#world.kernel.after(zone, `connection ${this.#address}`, 0, () => {
      if (far.isOver) return
      far.handlers = accept(far)
      far.open()
      this.#tell(zone.name, near.zone, travelMs, () => {
        near.open()
        this.#world.kernel.cancel(this.#givesUp)
        this.flow()
      })
    })
  }

  /** A process is gone: the other end is told by its system, or, when the machine is gone too, never. */
  #died(end: End): void {
    if (end.isOver) return
    end.isOver = true
    this.ended()
    const other = this.#other(end)
    if (other === undefined || other.isOver) return
    const isSilent = this.#world.kernel.decisions.stream(`goodbye ${end.zone.name}`, 'value').uniform(4) === 3
    if (!isSilent) this.#break(other)
  }

  /** An end learns that the connection broke. */
  #break(end: End): void {
    this.#tell(this.#other(end)?.zone.name ?? end.peer, end.zone, noticeMs, () => {
      end.end(broken)
    })
  }

  // ---- sending ------------------------------------------------------------------------------------------------------

  send(end: End, item: Direction['waiting'][number]): void {
    end.direction.waiting.push(item)
    if (item instanceof Uint8Array) end.direction.bytes += item.byteLength
    const to = this.#other(end)
    if (to !== undefined && !this.#world.kernel.decisions.isCalm)
      this.#network.disturb(this, end.zone.name, to.zone.name)
    this.#move(end)
  }

  /** Lets what waits go on, in both directions. */
  flow(): void {
    for (const again of this.#held.splice(0)) again()
    this.#move(this.#nearEnd)
    if (this.#farEnd !== undefined) this.#move(this.#farEnd)
  }

  /** The next of what `end` sent travels, unless something stops it. */
  #move(end: End): void {
    const { direction } = end
    const to = this.#other(end)
    const { kernel } = this.#world
    if (to === undefined || !end.isOpen || !to.isOpen) return
    if (direction.isMoving || direction.waiting.length === 0) return
    if (this.#network.isCut(end.zone.name, to.zone.name) || this.#isSilent || this.#isBroken) return
    direction.isMoving = true
    const waitMs = Math.max(0, direction.stalledUntilMs - kernel.nowMs)
    // It is under way whatever becomes of its sender.
    kernel.after(to.zone, `frame ${end.zone.name} ${to.zone.name}`, waitMs + travelMs, () => {
      direction.isMoving = false
      if (this.#network.isCut(end.zone.name, to.zone.name)) return
      this.#deliver(end, to)
      this.#move(end)
    })
  }

  #deliver(end: End, to: End): void {
    const item = this.#isBroken ? undefined : end.direction.waiting.shift()
    if (item === undefined || to.isOver) return
    if (!(item instanceof Uint8Array)) {
      to.end(item)
      this.#tell(to.zone.name, end.zone, travelMs, () => {
        end.end(item)
      })
      return
    }
    end.direction.bytes -= item.byteLength
    this.#world.trace.add(this.#world.nowMs, to.zone.name, `from ${end.zone.name}`, `frame of ${item.byteLength} bytes`)
    const fault = this.#isLossy ? this.#datagramFault(end, to) : undefined
    if (fault === 'lost') return
    if (fault === 'overtaken') {
      this.#world.kernel.after(to.zone, `frame ${end.zone.name} ${to.zone.name}`, overtakenMs, () => {
        to.take(item)
      })
      return
    }
    to.take(item)
    if (fault === 'doubled') to.take(item)
  }

  #datagramFault(end: End, to: End): (typeof datagramFaults)[number] | undefined {
    const { kernel, rates } = this.#world
    const fault = kernel.decisions
      .stream(`datagram ${end.zone.name} ${to.zone.name}`, 'fault')
      .fault(rates.net, datagramFaults.length)
    const name = datagramFaults[fault - 1]
    if (name !== undefined) this.#world.noteFault(end.zone.name, `a datagram to ${to.zone.name} is ${name}`)
    return name
  }

  // ---- trouble ------------------------------------------------------------------------------------------------------

  /** What `from` sends is not taken on for a while, and nobody says so. */
  stall(from: string, ms: number): void {
    const end = this.#nearEnd.zone.name === from ? this.#nearEnd : this.#farEnd
    if (end !== undefined) end.direction.stalledUntilMs = this.#world.nowMs + ms
  }

  /** It breaks: whatever has not arrived never will, and both ends learn of it, each in its time. */
  break(): void {
    this.#isBroken = true
    for (const end of [this.#nearEnd, this.#farEnd]) {
      if (end === undefined || end.isOver) continue
      end.direction.waiting.length = 0
      this.#break(end)
    }
  }

  closeFrom(name: string, code: number): void {
    const end = this.#nearEnd.zone.name === name ? this.#nearEnd : this.#farEnd
    end?.close(code, 'by the world')
  }

  /** An end was left without a word: the other one learns of it after a while. */
  left(end: End): void {
    const other = this.#other(end)
    if (other !== undefined && !other.isOver) this.#break(other)
  }

  ended(): void {
    if (this.#nearEnd.isOver) this.#world.kernel.cancel(this.#givesUp)
    if (this.#nearEnd.isOver && this.#farEnd?.isOver !== false) this.#network.forget(this)
  }

  #other(end: End): End | undefined {
    return end === this.#nearEnd ? this.#farEnd : this.#nearEnd
  }
}

/** One end of a pipe, as its process has it. */
class End implements Connection {
  readonly peer: string
  readonly zone: Zone
  readonly direction: Direction = { waiting: [], bytes: 0, stalledUntilMs: 0, isMoving: false }
  handlers: ConnectionHandlers | undefined
  isOpen = false
  isOver = false
  readonly #pipe: Pipe
  #isClosing = false

  constructor(pipe: Pipe, zone: Zone, peer: string) {
    this.#pipe = pipe
    this.zone = zone
    this.peer = peer
  }

  get bufferedBytes(): number {
    return this.direction.bytes
  }

  send(frame: Uint8Array): void {
    // A copy: whoever sends may use its buffer again.
    if (!this.isOver && !this.#isClosing) this.#pipe.send(this, Uint8Array.from(frame))
  }

  close(code = 1000, reason = ''): void {
    if (this.isOver || this.#isClosing) return
    this.#isClosing = true
    this.#pipe.send(this, { code, reason })
  }

  terminate(): void {
    if (this.isOver) return
    this.direction.waiting.length = 0
    this.#pipe.left(this)
    this.end(broken)
  }

  open(): void {
    if (this.isOver) return
    this.isOpen = true
    this.handlers?.opened?.()
  }

  take(frame: Uint8Array): void {
    if (!this.isOver) this.handlers?.received(frame)
  }

  end(how: { readonly code: number; readonly reason: string }): void {
    if (this.isOver) return
    this.isOver = true
    this.#pipe.ended()
    // It is told in a step of its own process only.
    const { kernel } = this.zone
    if (kernel.current === this.zone) this.handlers?.closed(how)
    else kernel.after(this.zone, `connection ${this.peer}`, 0, () => this.handlers?.closed(how))
  }
}
