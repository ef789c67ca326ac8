import { MailboxFullError, StashFullError } from '../core/errors.ts'
import type { Message } from '../core/message.ts'
import { Deque } from './deque.ts'
import type { MailboxLimits } from './mailbox.ts'

/** A sender that waits for room in a mailbox under `park`. */
export interface Parked<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Whether the lane took an item, and if not, why. `dropped` is the item that had to go to make room. */
export type Offered<Item> = 'taken' | 'full' | { readonly dropped: Item }

/**
 * The user lane of one mailbox: bounded, with an overflow policy, a stash, and senders that wait.
 *
 * 1. `waiting` never exceeds the capacity, apart from what `force` and `putBack` add: signals of the runtime and
 *    messages that were counted once already.
 * 2. The order of what one sender sends is kept: nobody overtakes parked items.
 */
export class Lane<Item> {
  readonly #limits: MailboxLimits
  readonly #queue = new Deque<Item>()
  #parked: Deque<Parked<Item>> | undefined
  #stashed: Item[] | undefined
  #postponed: Item[] | undefined
  #pressured = false

  constructor(limits: MailboxLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#queue.length
  }

  get setAsideCount(): number {
    return (this.#stashed?.length ?? 0) + (this.#postponed?.length ?? 0)
  }

  /** Whether nothing waits here in any way. */
  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#parked === undefined && this.setAsideCount === 0
  }

  /** Takes an item within the bound; under `drop-oldest` at the cost of the oldest one that `isDroppable`. */
  offer(item: Item, isDroppable: (item: Item) => boolean): Offered<Item> {
    if (this.#queue.length < this.#limits.capacity) {
      // Nobody is parked then: see #admitParked.
      this.#queue.push(item)
      return 'taken'
    }
    if (this.#limits.overflow !== 'drop-oldest') return 'full'
    const dropped = this.#queue.take(isDroppable)
    if (dropped === undefined) return 'full'
    this.#queue.push(item)
    return { dropped }
  }

  /** Takes a signal of the runtime, which has no bound and is never dropped. */
  force(item: Item): void {
    this.#queue.push(item)
  }

  /** As `force`, before everything that waits. */
  forceFirst(item: Item): void {
    this.#queue.unshift(item)
  }

  /** Lets a sender wait for room. False when as many wait already as may. */
  park(parked: Parked<Item>): boolean {
    this.#parked ??= new Deque()
    if (this.#parked.length >= this.#limits.parkedCapacity) return false
    this.#parked.push(parked)
    return true
  }

  /** A sender gave up waiting. False when its item was taken already. */
  unpark(parked: Parked<Item>): boolean {
    const removed = this.#parked?.take((other) => other === parked) !== undefined
    if (this.#parked?.length === 0) this.#parked = undefined
    return removed
  }

  shift(): Item | undefined {
    const item = this.#queue.shift()
    if (this.#parked !== undefined) this.#admitParked()
    return item
  }

  /** Whether the lane just passed half of its capacity, or emptied after that: each is said once. */
  pressureChange(): 'rising' | 'relieved' | undefined {
    if (!this.#pressured && this.#queue.length * 2 > this.#limits.capacity) {
      this.#pressured = true
      return 'rising'
    }
    if (this.#pressured && this.#queue.length === 0) {
      this.#pressured = false
      return 'relieved'
    }
    return undefined
  }

  /** Refuses to set one more aside when that is too many. @throws {StashFullError} `STASH_FULL` */
  checkRoomAside(at: () => string): void {
    if (this.setAsideCount >= this.#limits.stashCapacity) throw new StashFullError(at(), this.#limits.stashCapacity)
  }

  /** @throws {StashFullError} `STASH_FULL` */
  setAside(item: Item, how: 'stash' | 'postpone', at: () => string): void {
    this.checkRoomAside(at)
    if (how === 'stash') (this.#stashed ??= []).push(item)
    else (this.#postponed ??= []).push(item)
  }

  /** Puts what was set aside back in front, in its order. */
  putBack(which: 'stash' | 'postpone'): void {
    const items = which === 'stash' ? this.#stashed : this.#postponed
    if (items === undefined) return
    if (which === 'stash') this.#stashed = undefined
    else this.#postponed = undefined
    for (const item of items.reverse()) this.#queue.unshift(item)
  }

  /** Empties the lane of everything that waits or was set aside. Senders that wait for room learn why it comes to nothing. */
  drain(refusal: (item: Item) => Error): Item[] {
    const parked = this.#parked
    this.#parked = undefined
    for (let sender = parked?.shift(); sender !== undefined; sender = parked?.shift())
      sender.reject(refusal(sender.item))
    this.putBack('postpone')
    this.putBack('stash')
    const items: Item[] = []
    for (let item = this.shift(); item !== undefined; item = this.shift()) items.push(item)
    return items
  }

  /** What waits, in its order. */
  get waiting(): Iterable<Item> {
    return this.#queue
  }

  /** Takes out everything that `matches`, waiting or set aside. */
  takeOut(matches: (item: Item) => boolean): void {
    this.putBack('postpone')
    this.putBack('stash')
    while (this.#queue.take(matches) !== undefined);
  }

  /** The error for a sender that wants to know. */
  full(at: string, message: Message): MailboxFullError {
    return new MailboxFullError(at, this.#limits.capacity, message)
  }

  #admitParked(): void {
    while (this.#parked !== undefined && this.#queue.length < this.#limits.capacity) {
      const parked = this.#parked.shift()
      if (this.#parked.length === 0) this.#parked = undefined
      if (parked === undefined) return
      this.#queue.push(parked.item)
      parked.resolve()
    }
  }
}
