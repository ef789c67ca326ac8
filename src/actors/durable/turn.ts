import type { Clock } from '../../core/clock.ts'
import { freshSeed, seededRandom, type Random } from '../../core/random.ts'
import type { Letter, Received } from './bodies.ts'
import { Outlet } from './outlet.ts'
import type { DurableTimer } from '../schedule.ts'
import type { Script } from './script.ts'

/** What leaves a durable actor: it waits until what it follows from is on disk. */
export interface Output {
  release(): void
  /** It could not be written: whoever waits learns of it. */
  refuse(error: Error): void
}

/**
 * One message in the hands of a durable actor. What its handler does besides computing the next state is collected here
 * and takes effect, all of it or nothing, when the message is handled.
 */
export class Turn {
  readonly stream: string
  /** Counts the messages of the stream, from 0. */
  readonly number: number
  /** Whether it is a transition of a chart, which a replay goes through without any of its actions. */
  readonly isChart: boolean
  /** What the handler takes for now: epoch milliseconds. The same when it is replayed. */
  readonly atMs: number
  /** The `received` entry of this message, once it has one. */
  of: number | undefined
  readonly received: Received
  /** What the journal says about this message, when it is brought back. */
  readonly script: Script | undefined
  outputs: Output[] | undefined
  timers: Map<string, DurableTimer | undefined> | undefined
  /** Durable messages that a chart sends, by the key of the intent that notes each with its transition. */
  letters: Map<string, Letter> | undefined
  /** Durable messages sent: they are numbered, so that a second try sends the same. */
  sent = 0
  ranEffects = false
  /** Its handler sets the message aside, unless it fails. */
  aside: 'stash' | 'postpone' | undefined
  /** Lets out what comes after the end of the handler. */
  #afterwards: ((output: Output) => void) | undefined
  #random: Random | undefined
  #outlet: Outlet | undefined

  constructor(
    stream: string,
    number: number,
    atMs: number,
    of: number | undefined,
    received: Received,
    script: Script | undefined,
    isChart = false,
  ) {
    this.isChart = isChart
    this.stream = stream
    this.number = number
    this.atMs = atMs
    this.of = of
    this.received = received
    this.script = script
  }

  /** Whether it was handled before and is only gone through again. */
  get isReplay(): boolean {
    return this.script?.isComplete === true
  }

  /** Whether its handler did what a replay has to do again, though the state is as before. */
  get hasDone(): boolean {
    return this.timers !== undefined || this.sent > 0 || this.ranEffects || this.#random !== undefined
  }

  /** Whether a replay would miss something without an entry for this message, though the state is as before. */
  get leavesTrace(): boolean {
    const { of, received } = this
    return of !== undefined || received.id !== undefined || received.timer !== undefined || this.hasDone
  }

  /** Its handler has ended: nothing that a replay knows of can follow from it any more. */
  get isOver(): boolean {
    return this.#afterwards !== undefined
  }

  /** Its handler has ended. `afterwards` lets out what the code that it left behind still says. */
  end(afterwards: (output: Output) => void): void {
    this.#afterwards = afterwards
  }

  /** Lets something out of the actor once this message is on disk. In a replay it was let out then. */
  hold(output: Output): void {
    if (this.isReplay) return
    if (this.#afterwards === undefined) (this.outputs ??= []).push(output)
    else this.#afterwards(output)
  }

  /**
   * Of a durable message that is sent without one of its own: the same when this message is handled again. `seq`: the
   * entry that has this message.
   */
  messageId(seq: number): string {
    this.sent += 1
    return `${this.stream}#${seq}.${this.sent}`
  }

  /** Takes a durable message that a chart sends. Gives the key by which it is known until it has been sent. */
  post(letter: Letter): string {
    this.sent += 1
    const key = `~letter ${freshSeed()}`
    ;(this.letters ??= new Map()).set(key, letter)
    return key
  }

  /** Through which its handler sees what effects come to. */
  outlet(later: (task: () => void) => void): Outlet {
    return (this.#outlet ??= new Outlet(later))
  }

  setTimer(key: string, timer: DurableTimer | undefined): void {
    ;(this.timers ??= new Map()).set(key, timer)
  }

  /** Time as the handler sees it: it stands still. */
  clockOver(clock: Clock): Clock {
    const { atMs } = this
    return {
      now: () => atMs,
      wallNow: () => atMs,
      setTimeout: (fn, delayMs) => clock.setTimeout(fn, delayMs),
      clearTimeout: (handle) => {
        clock.clearTimeout(handle)
      },
    }
  }

  get random(): Random {
    return (this.#random ??= seededRandom(`${this.stream}#${this.number}`))
  }
}
