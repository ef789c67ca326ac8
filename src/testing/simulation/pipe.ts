import type { Connection, ConnectionHandlers } from '../../core/network.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import type { Zone } from './zone.ts'

/** Milliseconds from one end to the other when nothing is odd. */
export const travelMs = 0.5
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

/** One connection: two ends, and what is on its way in each direction. */
export class Pipe {
  readonly near: Connection
  readonly #network: SimulatedNetwork
  readonly #world: SimulatedWorld
  readonly #isLossy: boolean
  readonly #address: string
  readonly #nearEnd: End
  #farEnd: End | undefined
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
  }

  isBetween(a: string, b: string): boolean {
    const names = [this.#nearEnd.zone.name, this.#farEnd?.zone.name]
    return names.includes(a) && names.includes(b)
  }

  /** Nobody answered. */
  giveUpAfter(ms: number): void {
    this.#world.kernel.after(this.#nearEnd.zone, `connection ${this.#address}`, ms, () => {
      this.#nearEnd.end(broken)
    })
  }

  /** It reached somebody who takes connections. */
  accept(zone: Zone, accept: (connection: Connection) => ConnectionHandlers, isSilent: boolean): void {
    if (this.#nearEnd.isOver) return
    const { kernel } = this.#world
    const far = new End(this, zone, this.#nearEnd.zone.name)
    this.#farEnd = far
    this.#isSilent = isSilent
    for (const end of [far, this.#nearEnd])
      end.zone.onDeath(() => {
        this.#died(end)
      })
    kernel.after(zone, `connection ${this.#address}`, 0, () => {
      far.handlers = accept(far)
      far.handlers.opened?.()
      this.#move(far)
      kernel.after(this.#nearEnd.zone, `connection ${this.#address}`, travelMs, () => {
        if (!this.#nearEnd.isOver) this.#nearEnd.handlers?.opened?.()
        this.#move(this.#nearEnd)
      })
    })
  }

  /** A process is gone: the other end is told by its system, or, when the machine is gone too, never. */
  #died(end: End): void {
    const other = this.#other(end)
    end.isOver = true
    if (other === undefined || other.isOver) return
    const isSilent = this.#world.kernel.decisions.stream(`goodbye ${end.zone.name}`, 'value').uniform(4) === 3
    if (!isSilent)
      this.#world.kernel.after(other.zone, `connection ${this.#address}`, noticeMs, () => {
        other.end(broken)
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
    this.#move(this.#nearEnd)
    if (this.#farEnd !== undefined) this.#move(this.#farEnd)
  }

  /** The next of what `end` sent travels, unless something stops it. */
  #move(end: End): void {
    const { direction } = end
    const to = this.#other(end)
    const { kernel } = this.#world
    if (to?.handlers === undefined || direction.isMoving || direction.waiting.length === 0) return
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
      end.end(item)
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
      this.#world.kernel.after(end.zone, `connection ${this.#address}`, noticeMs, () => {
        end.end(broken)
      })
    }
  }

  closeFrom(name: string, code: number): void {
    const end = this.#nearEnd.zone.name === name ? this.#nearEnd : this.#farEnd
    end?.close(code, 'by the world')
  }

  /** An end was left without a word: the other one learns of it after a while. */
  left(end: End): void {
    const other = this.#other(end)
    if (other !== undefined && !other.isOver)
      this.#world.kernel.after(other.zone, `connection ${this.#address}`, noticeMs, () => {
        other.end(broken)
      })
  }

  ended(): void {
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
