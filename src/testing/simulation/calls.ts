import { active } from './active.ts'
import { CallFailedError } from './errors.ts'
import type { SimulatedWorld } from './simulated-world.ts'
import { wrapPart } from './wrapped.ts'
import type { Zone } from './zone.ts'

/** One call of a simulated service. */
export interface Call {
  /** `gateway.charge`. */
  readonly name: string
  readonly args: readonly unknown[]
  /** The node that made it. */
  readonly node: string
  readonly atMs: number
  /** Whether the service did it. */
  readonly executed: boolean
}

/** Milliseconds that a request and its answer take when nothing is odd; slow ones; until a broken connection shows. */
const travelMs = 2
const slowMs = 30_000
const resetMs = 100
/** Calls that are kept to be looked at. */
const mostKept = 100_000

type Execute = () => unknown

/** Characters of an argument that a trace shows. */
const shownCharacters = 40

/** An argument of a call in a trace: data as JSON, the rest by its type. */
function argumentText(argument: unknown): string {
  try {
    // Nothing for functions and symbols, whatever the types say.
    const text = (JSON.stringify(argument) as string | undefined) ?? typeof argument
    return text.length <= shownCharacters ? text : `${text.slice(0, shownCharacters)}…`
  } catch {
    return typeof argument
  }
}

/** What goes wrong with a call: by number, from 1. */
const faultNames = [
  'refused with 503',
  'refused with 429',
  'fails with 500, not done',
  'the request is lost',
  'the answer is lost',
  'answers late',
  'is done late',
  'never answers',
] as const

/** The services outside of the nodes. What was sent to them arrives, also when its sender dies. */
export class Calls {
  readonly #world: SimulatedWorld
  readonly #made: { -readonly [Key in keyof Call]: Call[Key] }[] = []

  constructor(world: SimulatedWorld) {
    this.#world = world
  }

  /** All of them, in the order in which they were made; the first 100,000. */
  get made(): readonly Call[] {
    return this.#made
  }

  /** Those of one method: `gateway.charge`. */
  of(name: string): readonly Call[] {
    return this.#made.filter((call) => call.name === name)
  }

  /** Makes a call from `zone`: the world decides when it arrives, whether it is done, and what comes back. */
  make(zone: Zone, name: string, args: readonly unknown[], execute: Execute): Promise<unknown> {
    const { kernel, outside } = this.#world
    const record = { name, args, node: zone.name, atMs: kernel.nowMs, executed: false }
    if (this.#made.length < mostKept) this.#made.push(record)
    const fault = kernel.decisions.stream(`call ${name}`, 'fault').fault(this.#world.rates.call, faultNames.length)
    const faultName = faultNames[fault - 1]
    if (faultName !== undefined) this.#world.noteFault(zone.name, `${name} ${faultName}`)
    this.#note(zone, name, args.length === 0 ? 'is called' : `is called with ${args.map(argumentText).join(', ')}`)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const answer = (afterMs: number, settle: () => void): void => {
      kernel.after(zone, `answer ${name}`, afterMs, settle)
    }
    const refuse = (error: CallFailedError, afterMs = travelMs): void => {
      answer(afterMs, () => {
        reject(error)
      })
    }
    const run = async (): Promise<void> => {
      record.executed = true
      this.#note(zone, name, 'is done')
      try {
        const value = await execute()
        if (faultName === 'the answer is lost') refuse(new CallFailedError(name, 'the connection was reset'), resetMs)
        else if (faultName !== 'never answers')
          answer(faultName === 'answers late' ? slowMs : travelMs, () => {
            resolve(value)
          })
      } catch (error) {
        answer(travelMs, () => {
          reject(error)
        })
      }
    }
    const arrive = (afterMs: number): void => {
      kernel.after(outside, `call ${name}`, afterMs, () => {
        void run()
      })
    }
    switch (faultName) {
      case 'refused with 503':
        refuse(new CallFailedError(name, 'is not there now', { status: 503 }))
        break
      case 'refused with 429':
        refuse(new CallFailedError(name, 'too many requests', { status: 429, retryAfterMs: 1000 }))
        break
      case 'fails with 500, not done':
        refuse(new CallFailedError(name, 'internal error', { status: 500 }))
        break
      case 'the request is lost':
        refuse(new CallFailedError(name, 'the connection was reset'), resetMs)
        break
      case 'is done late':
        arrive(slowMs)
        break
      default:
        arrive(travelMs)
    }
    return promise
  }

  #note(zone: Zone, name: string, what: string): void {
    this.#world.trace.add(this.#world.nowMs, zone.name, name, what)
  }
}

/** What stands in for a client in a world: the same names, with functions that give an answer or a promise; as much of them as is called. */
export type CallModel<Client> = Client extends (...args: infer Args) => infer Result
  ? (...args: Args) => Awaited<Result> | Result
  : { readonly [Key in keyof Client]?: CallModel<Client[Key]> }

export interface WrapOptions<Client> {
  /** For reports: `gateway`. Default `service`. */
  readonly name?: string
  /** What answers in a world instead of the client. Default: the client itself, for one that keeps everything in memory. */
  readonly model?: CallModel<Client>
}

/**
 * A client of something outside (a database, an SDK, an HTTP service) whose calls go through the world in which they are
 * made: it decides when each arrives and whether it is done, fails, or is done without an answer. Outside of worlds it is
 * the client itself.
 *
 * In a world
 * 1. every call gives a promise, also of a function that is not asynchronous: await it;
 * 2. arguments and answers are copied where they are data, as by a network; instances of classes are handed on;
 * 3. of an answer that is an async iterable each item is a call of its own, also in `for await (... of client.stream())`;
 * 4. functions of a plain object that a call gives go through the world, too. Those of instances of classes do not.
 * @throws {EscapedSimulationError} `SIMULATION_ESCAPED` for a call that the model does not have, or of what a call gives
 * before it was awaited: `client.collection('x').insert()`.
 */
export function wrap<Client extends object>(
  client: Client,
  { name = 'service', model }: WrapOptions<Client> = {},
): Client {
  return wrapPart(client, { path: name, owner: undefined, stand: model ?? client, standOwner: undefined })
}

/**
 * A value that each world has for itself, though the module that names it outlives all worlds: the accounts of a
 * simulated bank. Outside of worlds there is one for the process.
 */
export function perWorld<T>(make: () => T): { readonly current: T } {
  const values = new WeakMap<object, { readonly value: T }>()
  const process = {}
  return {
    get current() {
      const owner = active.host ?? process
      const kept = values.get(owner) ?? { value: make() }
      values.set(owner, kept)
      return kept.value
    },
  }
}
