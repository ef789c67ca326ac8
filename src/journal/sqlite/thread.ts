import { threadId, Worker } from 'node:worker_threads'
import { JournalClosedError, JournalFailedError } from '../../core/journal-errors.ts'
import type { Append, JournalHost } from '../../core/journal.ts'
import { systemScheduler } from '../../core/scheduler.ts'
import { errorOf } from './faults.ts'
import type { FromStore, Operation, Operations, StoreSetup, ToStore } from './messages.ts'
import { Packer } from './packing.ts'

/** Entries that are worth a second message while one is on its way: less would wait for its own sync of the disk. */
const worthSecond = 256
const mostMessages = 2

interface Call {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Asked {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
}

/** Openings of this thread that are not closed: their leases are held though no other process has them. */
const openings = new Set<number>()
let lastOpening = 0

export interface ThreadOptions {
  readonly file: string
  readonly mode: StoreSetup['mode']
  readonly takeOver: boolean
  readonly host: JournalHost
}

/**
 * The thread of the store as the main thread sees it. Owns who waits for what.
 *
 * It keeps the process alive exactly as long as somebody waits.
 */
export class StoreThread {
  readonly #file: string
  readonly #host: JournalHost
  readonly #worker: Worker
  readonly #opening: number
  readonly #questions = new Map<number, Asked>()
  #asked = 0
  /** Calls that are not on their way yet, and those that are, message by message. */
  #packer = new Packer()
  #gathered: Call[] = []
  #sent: (readonly Call[])[] = []
  #isSending = false
  #isRefed = true
  #failure: Error | undefined
  readonly #onCommit = new Set<() => void>()
  readonly #opened = Promise.withResolvers<void>()
  readonly #exited = Promise.withResolvers<void>()

  static async open(options: ThreadOptions): Promise<StoreThread> {
    const thread = new StoreThread(options)
    await thread.#opened.promise
    thread.#keepAlive()
    return thread
  }

  private constructor({ file, mode, takeOver, host }: ThreadOptions) {
    this.#file = file
    this.#host = host
    lastOpening += 1
    this.#opening = lastOpening
    const workerData: StoreSetup = {
      ...{ file, mode, takeOver, node: host.node, thread: threadId },
      ...{ opening: lastOpening, openings: [...openings], nowMs: host.clock.wallNow() },
    }
    openings.add(this.#opening)
    // The same file as source and as build.
    const url = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
    this.#worker = new Worker(url, { workerData, name: 'echelon journal' })
    this.#worker.on('message', (message: FromStore) => {
      this.#receive(message)
    })
    this.#worker.on('error', (error) => {
      this.#die(new JournalFailedError(file, `its thread broke: ${error.message}`, { cause: error }))
    })
    this.#worker.on('exit', (code) => {
      this.#die(new JournalFailedError(file, `its thread ended with code ${code}`))
    })
  }

  /** Why nothing can be written any more. */
  get failure(): Error | undefined {
    return this.#failure
  }

  append(call: readonly Append[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#packer.add(call)
      this.#gathered.push({ resolve, reject })
      this.#keepAlive()
      if (this.#isSending) return
      this.#isSending = true
      // Everything that this turn of the event loop appends goes together.
      systemScheduler.later(() => {
        this.#isSending = false
        this.#send()
      })
    })
  }

  ask<K extends Operation>(operation: K, ...args: Parameters<Operations[K]>): Promise<ReturnType<Operations[K]>> {
    return new Promise<ReturnType<Operations[K]>>((resolve, reject) => {
      this.#asked += 1
      this.#questions.set(this.#asked, { resolve, reject })
      this.#post({ kind: 'ask', id: this.#asked, operation, args, nowMs: this.#host.clock.wallNow() })
      this.#keepAlive()
    })
  }

  /** Resolves when all that was appended so far is written or refused. */
  async settled(): Promise<void> {
    while (this.#gathered.length + this.#sent.length > 0) await this.nextCommit()
  }

  /** Resolves after the next commit, or when nothing more can be committed. */
  nextCommit(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#onCommit.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#onCommit.add(done)
      signal?.addEventListener('abort', done)
    })
  }

  async close(): Promise<void> {
    try {
      await this.ask('close')
    } finally {
      this.#keepAlive()
      await this.#exited.promise
    }
  }

  async kill(): Promise<void> {
    await this.#worker.terminate()
  }

  #send(): void {
    const count = this.#gathered.length
    if (count === 0 || this.#sent.length >= mostMessages || (this.#sent.length > 0 && count < worthSecond)) return
    const packed = this.#packer.pack()
    this.#sent.push(this.#gathered)
    this.#packer = new Packer()
    this.#gathered = []
    const message: ToStore = { kind: 'append', packed, nowMs: this.#host.clock.wallNow() }
    this.#worker.postMessage(message, [packed.numbers.buffer])
  }

  #post(message: ToStore): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromStore): void {
    switch (message.kind) {
      case 'opened':
        this.#opened.resolve()
        break
      case 'refused':
        this.#opened.reject(errorOf(this.#file, message.fault))
        break
      case 'progress': {
        const { what, done, total } = message
        this.#host.onProgress?.({ what, done, total })
        break
      }
      case 'written': {
        const calls = this.#sent.splice(0, message.messages).flat()
        for (const [call, fault] of message.refused) calls[call]?.reject(errorOf(this.#file, fault))
        for (const { resolve } of calls) resolve()
        this.#afterCommit()
        break
      }
      case 'unwritten':
        for (const { reject } of this.#sent.splice(0, message.messages).flat())
          reject(errorOf(this.#file, message.fault))
        this.#afterCommit()
        break
      case 'answer':
        this.#answered(message.id)?.resolve(message.value as never) // as `ask` typed it
        break
      case 'refusal':
        this.#answered(message.id)?.reject(errorOf(this.#file, message.fault))
        break
      case 'failed':
        this.#fail(errorOf(this.#file, message.fault))
        break
      default:
        return message satisfies never
    }
    this.#keepAlive()
  }

  #answered(id: number): Asked | undefined {
    const question = this.#questions.get(id)
    this.#questions.delete(id)
    return question
  }

  #afterCommit(): void {
    // What waits now goes after what the resolved promises append.
    systemScheduler.later(() => {
      this.#send()
    })
    for (const done of [...this.#onCommit]) done()
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#host.onFailed?.(error)
  }

  /** The thread is gone. */
  #die(error: JournalFailedError): void {
    openings.delete(this.#opening)
    this.#opened.reject(error)
    const isClosing = this.#questions.size === 0 && this.#sent.length === 0 && this.#gathered.length === 0
    if (!isClosing) this.#fail(error)
    const left = [...this.#sent.flat(), ...this.#gathered, ...this.#questions.values()]
    this.#sent = []
    this.#gathered = []
    this.#questions.clear()
    for (const { reject } of left) reject(this.#failure ?? new JournalClosedError(this.#file))
    for (const done of [...this.#onCommit]) done()
    this.#exited.resolve()
  }

  #keepAlive(): void {
    const isWanted = this.#questions.size > 0 || this.#sent.length > 0 || this.#gathered.length > 0
    if (isWanted === this.#isRefed) return
    this.#isRefed = isWanted
    if (isWanted) this.#worker.ref()
    else this.#worker.unref()
  }
}
