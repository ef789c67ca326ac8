import type { Clock, TimerHandle } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'

/** What is wrong with one direction. */
export interface LinkFaults {
  /** Every byte comes this much later. */
  readonly latencyMs: number
  /** And up to this much more, drawn for each piece. What was sent first still comes first. */
  readonly jitterMs: number
  readonly bytesPerSecond: number
  /** Bytes are written in pieces of 1 to this many, a millisecond apart. */
  readonly chunkBytes: number
  /** Nothing passes, not even an end. */
  readonly isStalled: boolean
}

export const noFaults: LinkFaults = {
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Infinity,
  chunkBytes: Infinity,
  isStalled: false,
}

/** Where a link's bytes come from and go to. */
export interface LinkEnds {
  /** False when no more should be written until `drained` is called. */
  write(bytes: Uint8Array): boolean
  /** All has been written. */
  end(): void
  /** The sender is gone without an end. */
  reset(): void
  /** The sender has to wait: enough bytes are under way. */
  hold(): void
  release(): void
}

/** Bytes under way at most: what a network would hold. A sender waits beyond. */
const mostBytes = 1_048_576

/** Pieces of a slow link are what it carries in this time. */
const pieceMs = 10

/** Between two pieces, so that they are not put together again on their way. */
const chunkGapMs = 1

/** A timer that is later than this was not late: the link stood still. */
const lateMs = 20

/** Sums of fractions of milliseconds are not exact: less than this is no delay. */
const soonestMs = 0.001

interface Queued {
  bytes: Uint8Array
  /** Not before; what is behind another waits for that, too. */
  readonly dueMs: number
}

/**
 * One direction of one connection: bytes go in, and come out late, slowly, in pieces, or not at all.
 *
 * 1. What comes out is what went in, in the same order: nothing is lost but by a reset.
 * 2. No more than `mostBytes` and what the sender had in hand are held.
 */
export class Link {
  readonly #clock: Clock
  readonly #random: Random
  readonly #faults: () => LinkFaults
  readonly #ends: LinkEnds
  readonly #queue: Queued[] = []
  #queuedBytes = 0
  /** When the link is done with what it was given so far. */
  #freeAtMs = 0
  #timer: TimerHandle | undefined
  #isBlocked = false
  #isHeld = false
  #ending: 'none' | 'end' | 'reset' | 'over' = 'none'

  constructor(clock: Clock, random: Random, faults: () => LinkFaults, ends: LinkEnds) {
    this.#clock = clock
    this.#random = random
    this.#faults = faults
    this.#ends = ends
  }

  push(bytes: Uint8Array): void {
    if (this.#ending !== 'none') return
    const { latencyMs, jitterMs } = this.#faults()
    const nowMs = this.#clock.now()
    const jitter = jitterMs > 0 ? this.#random.next() * jitterMs : 0
    this.#queue.push({ bytes, dueMs: nowMs + latencyMs + jitter })
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes > mostBytes && !this.#isHeld) {
      this.#isHeld = true
      this.#ends.hold()
    }
    this.pass()
  }

  /** The sender has sent all. */
  finish(): void {
    if (this.#ending === 'none') this.#ending = 'end'
    this.pass()
  }

  /** The sender was reset: what is under way is lost, as it may be on a network. */
  abort(): void {
    if (this.#ending !== 'over') this.#ending = 'reset'
    this.pass()
  }

  /** Nothing comes out any more. */
  close(): void {
    this.#ending = 'over'
    this.#clock.clearTimeout(this.#timer)
    this.#queue.length = 0
  }

  /** The receiver takes more. */
  drained(): void {
    this.#isBlocked = false
    this.pass()
  }

  /** Passes on what may pass now, and comes back for the rest. To be called when faults have changed. */
  pass(): void {
    this.#clock.clearTimeout(this.#timer)
    if (this.#ending === 'over' || this.#faults().isStalled) return
    if (this.#ending === 'reset') {
      this.close()
      this.#ends.reset()
      return
    }
    this.#passQueue()
    if (this.#ending === 'end' && this.#queue.length === 0) {
      this.close()
      this.#ends.end()
    }
  }

  #passQueue(): void {
    for (let head = this.#queue[0]; head !== undefined && !this.#isBlocked; head = this.#queue[0]) {
      const nowMs = this.#clock.now()
      const waitMs = Math.max(head.dueMs, this.#freeAtMs) - nowMs
      if (waitMs >= soonestMs) {
        this.#timer = this.#clock.setTimeout(() => {
          this.pass()
        }, waitMs)
        return
      }
      const piece = this.#take(head)
      this.#occupy(piece.length, waitMs > -lateMs ? nowMs + waitMs : nowMs)
      this.#isBlocked = !this.#ends.write(piece)
      this.#releaseSender()
    }
  }

  /** A timer is late: a link that counted from now instead of from when it was free would be slower than asked for. */
  #occupy(bytes: number, fromMs: number): void {
    const { bytesPerSecond, chunkBytes } = this.#faults()
    const gapMs = chunkBytes < Infinity ? chunkGapMs : 0
    this.#freeAtMs = fromMs + (bytes * 1000) / bytesPerSecond + gapMs
  }

  #take(head: Queued): Uint8Array {
    const { bytesPerSecond, chunkBytes } = this.#faults()
    const inPiece = Math.max(1, Math.floor((bytesPerSecond * pieceMs) / 1000))
    const inChunk = chunkBytes < Infinity ? 1 + this.#random.int(chunkBytes) : Infinity
    const piece = head.bytes.subarray(0, Math.min(inPiece, inChunk, head.bytes.length))
    head.bytes = head.bytes.subarray(piece.length)
    if (head.bytes.length === 0) this.#queue.shift()
    this.#queuedBytes -= piece.length
    return piece
  }

  #releaseSender(): void {
    if (!this.#isHeld || this.#queuedBytes > mostBytes / 2) return
    this.#isHeld = false
    this.#ends.release()
  }
}
