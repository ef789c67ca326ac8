import type { TimerHandle } from '../core/clock.ts'
import { DependencyMissingError } from '../core/errors.ts'
import { runtimeEventTypes, type EscalationReason, type RuntimeEvent, type RuntimeEventOf } from '../core/events.ts'
import type { ExitReason } from '../core/exit.ts'
import type { Runtime } from './runtime.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

type LogMethod = (fields: object, text: string) => void

/** A logger as pino is one: a method per level, which takes fields and a text. */
export interface Logger extends Readonly<Record<Exclude<LogLevel, 'trace'>, LogMethod>> {
  readonly trace?: LogMethod
  readonly level?: string
  readonly isLevelEnabled?: (level: LogLevel) => boolean
}

export interface LogOptions {
  /** Dead letters that are written per second at most; others are counted and told as one number. Default 10. */
  readonly deadLettersPerSecond?: number
}

type Fields = Readonly<Record<string, unknown>>
type Level<Type extends RuntimeEvent['type']> = LogLevel | ((event: RuntimeEventOf<Type>) => LogLevel)

/** How loud each event is. A type that can be at several levels is listened to when the first one in `loudest` is on. */
const levels: { readonly [Type in RuntimeEvent['type']]: { readonly loudest: LogLevel; readonly of: Level<Type> } } = {
  spawned: { loudest: 'debug', of: 'debug' },
  started: { loudest: 'debug', of: 'debug' },
  handled: { loudest: 'trace', of: 'trace' },
  failed: { loudest: 'error', of: 'error' },
  restarted: { loudest: 'warn', of: 'warn' },
  escalated: {
    loudest: 'fatal',
    of: ({ reason, to }) => (reason.kind === 'decision' ? 'warn' : to === 'person' ? 'fatal' : 'error'),
  },
  stopped: {
    loudest: 'warn',
    of: ({ reason }) => (reason.kind === 'normal' || reason.kind === 'shutdown' ? 'debug' : 'warn'),
  },
  'dead-letter': { loudest: 'warn', of: 'warn' },
  'mailbox-pressure': { loudest: 'warn', of: ({ rising }) => (rising ? 'warn' : 'info') },
  'zombie-effect': { loudest: 'warn', of: 'warn' },
  'observer-failed': { loudest: 'error', of: 'error' },
  recovered: { loudest: 'debug', of: 'debug' },
  recovering: { loudest: 'info', of: 'info' },
  'in-doubt': { loudest: 'warn', of: 'warn' },
  passivated: { loudest: 'debug', of: 'debug' },
  'journal-failed': { loudest: 'fatal', of: 'fatal' },
}

/**
 * Writes the events of a runtime to `logger`, or to a new pino logger: never the payload of a message, which may hold
 * secrets, but its type; errors by name, code and message; without control characters, and no text beyond 1,000
 * characters. Only events whose level is on when this is called are listened to, so what is not written costs nothing;
 * `handled`, one for each message, is written at `trace` only.
 *
 * With a logger it listens at once, before the promise resolves. The result stops it, as the end of the runtime does.
 * Rejects with `DEPENDENCY_MISSING` when no logger is given and pino is not installed.
 */
export async function logEvents(
  runtime: Runtime,
  logger?: Logger,
  { deadLettersPerSecond = 10 }: LogOptions = {},
): Promise<() => void> {
  const log = new EventLog(runtime, logger ?? (await loadPino()), deadLettersPerSecond)
  const stop = (): void => {
    log.close()
  }
  void runtime.closed.then(stop)
  return stop
}

/** @throws {DependencyMissingError} `DEPENDENCY_MISSING`. `load` is for tests. */
export async function loadPino(load: () => Promise<{ pino: () => Logger }> = () => import('pino')): Promise<Logger> {
  try {
    return (await load()).pino()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new DependencyMissingError('logEvents without a logger', 'pino', { cause: error })
    }
    throw error
  }
}

class EventLog {
  readonly #runtime: Runtime
  readonly #logger: Logger
  readonly #deadLettersPerSecond: number
  readonly #listening: (() => void)[] = []
  /** Dead letters in the second that runs, which the timer ends. */
  #letters = 0
  #second: TimerHandle | undefined

  constructor(runtime: Runtime, logger: Logger, deadLettersPerSecond: number) {
    this.#runtime = runtime
    this.#logger = logger
    this.#deadLettersPerSecond = deadLettersPerSecond
    const listener = (event: RuntimeEvent): void => {
      if (event.type !== 'dead-letter' || this.#admitsLetter()) this.#write(event)
    }
    for (const type of runtimeEventTypes) {
      if (!isOn(logger, levels[type].loudest)) continue
      // The channel of a type carries events of that type, which is one of the union.
      this.#listening.push(runtime.on(type, listener as (event: RuntimeEventOf<typeof type>) => void))
    }
  }

  close(): void {
    for (const stop of this.#listening.splice(0)) stop()
    this.#endSecond()
  }

  #write(event: RuntimeEvent): void {
    const { of } = levels[event.type]
    // The table has, for each type, what takes events of that type.
    const level = typeof of === 'string' ? of : (of as (event: RuntimeEvent) => LogLevel)(event)
    const { node, path, incarnation } = event
    this.#logger[level]?.({ event: event.type, node, path, incarnation, ...clean(detail(event)) }, event.type)
  }

  #admitsLetter(): boolean {
    this.#second ??= this.#runtime.clock.setTimeout(() => {
      this.#endSecond()
    }, 1000)
    this.#letters += 1
    return this.#letters <= this.#deadLettersPerSecond
  }

  #endSecond(): void {
    const suppressed = this.#letters - this.#deadLettersPerSecond
    this.#runtime.clock.clearTimeout(this.#second)
    this.#second = undefined
    this.#letters = 0
    if (suppressed <= 0) return
    this.#logger.warn(
      { event: 'dead-letter', node: this.#runtime.node, suppressed },
      'more dead letters than are written',
    )
  }
}

/** Whether a logger writes this level now. One that does not say is taken to write all but `trace`. */
function isOn(logger: Logger, level: LogLevel): boolean {
  if (level === 'trace' && logger.level !== 'trace') return false
  return logger.isLevelEnabled?.(level) ?? true
}

/** What is worth writing about an event beside its place: no payloads. */
function detail(event: RuntimeEvent): Fields {
  switch (event.type) {
    case 'spawned':
      return { definition: event.definition, parent: event.parent }
    case 'started':
      return { definition: event.definition }
    case 'handled':
      return { messageType: event.messageType, from: event.from, durationMs: event.durationMs }
    case 'failed':
      return { messageType: event.messageType, ...errorFields(event.error) }
    case 'restarted':
      return { supervisor: event.supervisor, kept: event.kept, ...exitFields(event.reason) }
    case 'escalated':
      return {
        from: event.from,
        to: event.to,
        defaultChoice: event.defaultChoice,
        deadlineMs: event.deadlineMs,
        ...reasonFields(event.reason),
      }
    case 'stopped':
      return exitFields(event.reason)
    case 'dead-letter':
      return {
        reason: event.reason,
        messageType: event.messageType,
        ...(event.error === undefined ? {} : errorFields(event.error)),
      }
    case 'mailbox-pressure':
      return { depth: event.depth, capacity: event.capacity, rising: event.rising }
    case 'zombie-effect':
      return { effect: event.effect }
    case 'observer-failed':
      return { observer: event.observer, ...errorFields(event.error) }
    case 'recovered':
      return { entries: event.entries, snapshotSeq: event.snapshotSeq, durationMs: event.durationMs }
    case 'recovering':
      return { entries: event.entries }
    case 'in-doubt':
      return { stream: event.stream, key: event.key, beganAtMs: event.beganAtMs }
    case 'passivated':
      return { idleMs: event.idleMs }
    case 'journal-failed':
      return errorFields(event.error)
    default:
      return event satisfies never
  }
}

const exitFields = (exit: ExitReason): Fields => ({
  exit: exit.kind,
  ...(exit.kind === 'crash' ? errorFields(exit.error) : {}),
})

const reasonFields = (reason: EscalationReason): Fields =>
  reason.kind === 'failure' ? exitFields(reason.exit) : { decision: reason.id, action: reason.action }

/** Name, code and message of an error: its other properties, and a value that is no error, may be payload. */
function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return { error: { name: typeof error } }
  return {
    error: clean({
      name: error.name,
      message: error.message,
      ...('code' in error ? { code: String(error.code) } : {}),
    }),
  }
}

const longestText = 1000

/** Texts without control characters, which could forge lines or steer a terminal, and of bounded length. */
function clean(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? cleanText(value) : value]),
  )
}

// \p{C} is all that is not shown: controls, and format characters such as those that turn the direction of writing.
const cleanText = (text: string): string => text.slice(0, longestText).replaceAll(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, ' ')
