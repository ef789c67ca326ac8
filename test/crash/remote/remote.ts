import { programOf, start, type Running } from '../support/programs.ts'
import type { Command, Reply } from './commands.ts'

/** A command that failed in the remote process. */
export class RemoteError extends Error {
  readonly code: string
  /** Code of the error behind it; empty when there is none. */
  readonly causeCode: string
  constructor({ code, cause, text }: Extract<Reply, { kind: 'error' }>) {
    super(text)
    this.code = code
    this.causeCode = cause
  }
}

interface Answer {
  readonly value: unknown
  /** Milliseconds that it took there. */
  readonly ms: number
}

/** A process with a runtime on a journal: `program.ts`. Disposing kills it. */
export class Remote implements AsyncDisposable {
  readonly #running: Running
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  readonly #first = Promise.withResolvers<Extract<Reply, { kind: 'up' | 'refused' }>>()
  readonly #failed = Promise.withResolvers<string>()
  #asked = 0

  constructor(journal: string, { outside, how = '' }: { readonly outside: string; readonly how?: 'take over' | '' }) {
    this.#running = start(programOf('remote/program.ts'), [journal, outside, how])
    void this.#listen()
  }

  get pid(): number {
    return this.#running.pid
  }

  /** Whether it is up, or why not. */
  get opened(): Promise<Extract<Reply, { kind: 'up' | 'refused' }>> {
    return this.#first.promise
  }

  /** Code with which its journal failed, once it has. */
  get journalFailed(): Promise<string> {
    return this.#failed.promise
  }

  do(command: Command): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#asked += 1
      this.#waiting.set(this.#asked, { resolve, reject })
      this.#running.input.write(`${JSON.stringify({ ...command, id: this.#asked })}\n`)
    })
  }

  /** Code of the error that a command fails with; empty when it does not fail. */
  async codeOf(command: Command): Promise<string> {
    try {
      await this.do(command)
      return ''
    } catch (error) {
      if (error instanceof RemoteError) return error.code
      throw error
    }
  }

  async read(key: string): Promise<readonly number[]> {
    return (await this.do({ do: 'read', key })).value as readonly number[] // what an account answers
  }

  signal(signal: NodeJS.Signals): void {
    this.#running.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#running.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  async #listen(): Promise<void> {
    for await (const line of this.#running.lines) this.#take(JSON.parse(line) as Reply) // what `program.ts` says
    const gone = new Error(`process ${this.pid} is gone: ${this.#running.errors()}`)
    this.#first.reject(gone)
    for (const { reject } of this.#waiting.values()) reject(gone)
  }

  #take(reply: Reply): void {
    switch (reply.kind) {
      case 'up':
      case 'refused':
        this.#first.resolve(reply)
        break
      case 'journal failed':
        this.#failed.resolve(reply.code)
        break
      case 'value':
        this.#answered(reply.id)?.resolve(reply)
        break
      case 'error':
        this.#answered(reply.id)?.reject(new RemoteError(reply))
        break
      default:
        reply satisfies never
    }
  }

  #answered(id: number) {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }
}
