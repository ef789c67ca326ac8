import { threadId, Worker } from 'node:worker_threads'
import { JournalClosedError, JournalFailedError } from '../../core/journal-errors.ts'
import type { Append, JournalHost } from '../../core/journal.ts'
import { systemScheduler } from '../../core/scheduler.ts'
import { errorOf } from './faults.ts'
import type { Answer, FromStore, Operation, Operations, Question, StoreSetup, ToStore } from './messages.ts'
import { Packer } from './packing.ts'

/** Entries that are worth a commit of their own while another is on its way; fewer wait for it, and save a sync. */
const worthSecond = 24
/**
 * A batch of more calls than this is acknowledged in two halves: what the first appends next is with the store by the
 * time the second is told, so that neither thread waits for the other.
 */
const halvedCalls = 16
/** Entries after which a batch is full, so that this thread fills one while that of the store writes another. */
const fullBatch = 512
/** Batches on their way at most: one that is written, and one that the store finds when it is done. */
const mostSent = 2

interface Call {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Calls that are written in one transaction. */
class Batch {
  readonly packer = new Packer()
  readonly calls: Call[] = []
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
  #unasked: Question[] = []
  /** What is not on its way yet, and what is. Oldest first. */
  #gathered: Batch[] = []
  #sent: Batch[] = []
  /** Written, and not told yet. */
  #written: Call[] = []
  #isSending = false
  #isRefed = true
  /** That the thread ends is no failure: it was asked to, or never opened the journal. */
  #isClosing = false
  #isGone = false
  /** How many batches were written or refused. */
  commits = 0
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
    // It has the options of the process, and one for a program that is a text (`--input-type`) is refused with a file.
    const program = `import(${JSON.stringify(url.href)})`
    this.#worker = new Worker(program, { eval: true, workerData, name: 'echelon journal' })
    this.#worker.on('message', (message: FromStore) => {
      this.#receive(message)
    })
    this.#worker.on('error', (error: Error) => {
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
      if (this.#isGone) throw this.#ended()
      let batch = this.#gathered.at(-1)
      if (batch === undefined || batch.packer.entries >= fullBatch) this.#gathered.push((batch = new Batch()))
      batch.packer.add(call)
      batch.calls.push({ resolve, reject })
      this.#sendSoon()
    })
  }

  ask<K extends Operation>(operation: K, ...args: Parameters<Operations[K]>): Promise<ReturnType<Operations[K]>> {
    return new Promise<ReturnType<Operations[K]>>((resolve, reject) => {
      if (this.#isGone) throw this.#ended()
      this.#asked += 1
      this.#questions.set(this.#asked, { resolve, reject })
      this.#unasked.push({ id: this.#asked, operation, args })
      this.#sendSoon()
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

  /** Ends the thread, which gives everything back. */
  async close(): Promise<void> {
    if (this.#isGone) return
    this.#isClosing = true
    try {
      await this.ask('close')
    } finally {
      await this.#exited.promise
    }
  }

  /** Ends the thread in the middle of what it does. Whoever waits for it is refused. */
  async kill(): Promise<void> {
    this.#isClosing = true
    await this.#worker.terminate()
  }

  /** Everything of this turn of the event loop goes together. */
  #sendSoon(): void {
    this.#keepAlive()
    if (this.#isSending) return
    this.#isSending = true
    systemScheduler.later(() => {
      this.#isSending = false
      this.#ask()
      this.#send()
    })
  }

  /** Before what is to be written: it takes less time. */
  #ask(): void {
    if (this.#unasked.length === 0 || this.#isGone) return
    this.#post({ kind: 'ask', questions: this.#unasked, nowMs: this.#host.clock.wallNow() })
    this.#unasked = []
  }

  #send(): void {
    for (;;) {
      const [next] = this.#gathered
      if (next === undefined || this.#sent.length >= mostSent) return
      if (this.#sent.length > 0 && next.packer.entries < worthSecond) return
      const packed = next.packer.pack()
      const message: ToStore = { kind: 'append', packed, nowMs: this.#host.clock.wallNow() }
      this.#worker.postMessage(message, [packed.numbers.buffer])
      this.#gathered.shift()
      this.#sent.push(next)
    }
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
        this.#isClosing = true
        this.#opened.reject(errorOf(this.#file, message.fault))
        break
      case 'progress': {
        const { what, done, total } = message
        this.#host.onProgress?.({ what, done, total })
        // Nobody has asked for anything yet while it is opened: it is waited for all the same.
        return
      }
      case 'written': {
        this.#tell(Infinity)
        this.#written = this.#sent.shift()?.calls ?? []
        for (const [call, fault] of message.refused) this.#written[call]?.reject(errorOf(this.#file, fault))
        this.#tell(Math.max(halvedCalls, Math.ceil(this.#written.length / 2)))
        this.#afterCommit()
        break
      }
      case 'unwritten':
        this.#tell(Infinity)
        for (const { reject } of this.#sent.shift()?.calls ?? []) reject(errorOf(this.#file, message.fault))
        this.#afterCommit()
        break
      case 'answers':
        for (const answer of message.answers) this.#answered(answer)
        break
      case 'failed':
        this.#fail(errorOf(this.#file, message.fault))
        break
      default:
        return message satisfies never
    }
    this.#keepAlive()
  }

  /** Tells so many of those whose calls are written, and the others after what these append. */
  #tell(count: number): void {
    for (const { resolve } of this.#written.splice(0, count)) resolve()
    if (this.#written.length === 0) return
    systemScheduler.later(() => {
      this.#send()
      this.#tell(count)
    })
  }

  #answered(answer: Answer): void {
    const question = this.#questions.get(answer.id)
    this.#questions.delete(answer.id)
    if ('fault' in answer) question?.reject(errorOf(this.#file, answer.fault))
    else question?.resolve(answer.value as never) // as `ask` typed it
  }

  #afterCommit(): void {
    this.commits += 1
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
    this.#isGone = true
    this.#opened.reject(error)
    if (!this.#isClosing) this.#fail(error)
    const batches = [...this.#sent, ...this.#gathered]
    const left = [...batches.flatMap(({ calls }) => calls), ...this.#questions.values()]
    this.#sent = []
    this.#gathered = []
    this.#questions.clear()
    for (const { reject } of left) reject(this.#ended())
    for (const done of [...this.#onCommit]) done()
    this.#exited.resolve()
  }

  #ended(): Error {
    return this.#failure ?? new JournalClosedError(this.#file)
  }

  #keepAlive(): void {
    const isWanted = this.#isClosing || this.#questions.size > 0 || this.#sent.length > 0 || this.#gathered.length > 0
    if (isWanted === this.#isRefed) return
    this.#isRefed = isWanted
    if (isWanted) this.#worker.ref()
    else this.#worker.unref()
  }
}
