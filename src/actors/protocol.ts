import * as z from 'zod'
import { DefinitionInvalidError, MessageInvalidError, MessageUnknownError } from '../core/errors.ts'
import { describeError } from '../core/exit.ts'
import type { Message } from '../core/message.ts'
import { compileShapeCheck, compilePayloadCheck, type PayloadCheck } from './payload-check.ts'

/** Fields of a message beside its `type`, as zod schemas. */
export type Shape = Readonly<Record<string, z.ZodType>>

/** A message of a protocol: something that is told and not answered. */
export interface MessageSpec<S extends Shape = Shape> {
  readonly kind: 'message'
  readonly shape: S
}

/** A question of a protocol: a message with the schema of its answer. */
export interface QuestionSpec<S extends Shape = Shape, A extends z.ZodType = z.ZodType> {
  readonly kind: 'question'
  readonly shape: S
  readonly answer: A
}

/** What an actor understands: message types, each with its schema. Types name a thing and a verb: `order.pay`. */
export type Protocol = Readonly<Record<string, MessageSpec | QuestionSpec>>

/** A message with this body: `message({ by: z.int() })`. Without a shape it has no body. */
export function message(): MessageSpec<{}>
export function message<const S extends Shape>(shape: S): MessageSpec<S>
export function message(shape: Shape = {}): MessageSpec {
  return { kind: 'message', shape }
}

/** A question with this body, answered by a value of `answer`: `question({ id: z.string() }, z.number())`. */
export function question<const S extends Shape, A extends z.ZodType>(shape: S, answer: A): QuestionSpec<S, A> {
  return { kind: 'question', shape, answer }
}

type Flat<T> = { [K in keyof T]: T[K] }
type NameOf<P extends Protocol> = keyof P & string
export type MessageName<P extends Protocol> = { [K in NameOf<P>]: P[K] extends MessageSpec ? K : never }[NameOf<P>]
export type QuestionName<P extends Protocol> = { [K in NameOf<P>]: P[K] extends QuestionSpec ? K : never }[NameOf<P>]

// z.object({}) would infer `Record<string, never>`, which refuses the `type` beside it.
type BodyIn<S extends Shape> = keyof S extends never ? unknown : Flat<Readonly<z.input<z.ZodObject<S>>>>
type BodyOut<S extends Shape> = keyof S extends never ? unknown : Flat<Readonly<z.output<z.ZodObject<S>>>>

/** The message or question `K` as a sender writes it. */
export type Sent<P extends Protocol, K extends NameOf<P>> = { readonly type: K } & BodyIn<P[K]['shape']>
/** The message or question `K` as a handler receives it: after the schema's defaults and transforms. */
export type Received<P extends Protocol, K extends NameOf<P>> = Flat<{ readonly type: K } & BodyOut<P[K]['shape']>>
/** Everything that can be told to an actor of this protocol. */
export type MessageOf<P extends Protocol> = { [K in MessageName<P>]: Sent<P, K> }[MessageName<P>]
/** Everything that an actor of this protocol can receive: messages and questions. */
export type ReceivedOf<P extends Protocol> = { [K in NameOf<P>]: Received<P, K> }[NameOf<P>]
/** What the answer to question `K` is for its asker. */
export type AnswerOf<P extends Protocol, K extends NameOf<P>> =
  P[K] extends QuestionSpec<Shape, infer A> ? z.output<A> : never
/** What an actor may pass to `reply` for question `K`. */
export type ReplyOf<P extends Protocol, K extends NameOf<P>> =
  P[K] extends QuestionSpec<Shape, infer A> ? z.input<A> : never

/** One message type, ready for the hot path. */
export interface ProtocolEntry {
  readonly type: string
  readonly kind: 'message' | 'question'
  readonly accepts: PayloadCheck | undefined
  readonly schema: z.ZodType
  readonly acceptsAnswer: PayloadCheck | undefined
  readonly answer: z.ZodType | undefined
}

export type ProtocolTable = ReadonlyMap<string, ProtocolEntry>

const tables = new WeakMap<Protocol, ProtocolTable>()

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` when untyped code gives something that is no protocol. */
export function checkProtocol(where: string, protocol: unknown): asserts protocol is Protocol {
  if (!isObject(protocol))
    throw new DefinitionInvalidError(`${where}.protocol`, 'is missing: give { type: message() }, or {}')
  for (const [type, spec] of Object.entries(protocol) as [string, unknown][]) {
    const isOne = isObject(spec) && 'kind' in spec && (spec.kind === 'message' || spec.kind === 'question')
    if (!isOne) throw new DefinitionInvalidError(`${where}.protocol`, `'${type}' is neither message() nor question()`)
  }
}

/** Compiles a protocol once; definitions that share a protocol share its table. */
export function protocolTable(protocol: Protocol): ProtocolTable {
  let table = tables.get(protocol)
  if (table === undefined) {
    table = new Map(Object.entries(protocol).map(([type, spec]) => [type, compileEntry(type, spec)]))
    tables.set(protocol, table)
  }
  return table
}

function compileEntry(type: string, spec: MessageSpec | QuestionSpec): ProtocolEntry {
  const answer = spec.kind === 'question' ? spec.answer : undefined
  return {
    type,
    kind: spec.kind,
    accepts: compileShapeCheck(spec.shape),
    schema: z.looseObject(spec.shape),
    acceptsAnswer: answer && compilePayloadCheck(answer),
    answer,
  }
}

/** What a protocol says of a message that may come from untyped code. @throws {MessageUnknownError} `MESSAGE_UNKNOWN` */
export function entryOf(table: ProtocolTable, given: unknown, to: () => string): ProtocolEntry {
  const type = typeof given === 'object' && given !== null && 'type' in given ? given.type : undefined
  const entry = typeof type === 'string' ? table.get(type) : undefined
  if (entry === undefined) throw new MessageUnknownError(to(), describeError(type ?? given), [...table.keys()], given)
  return entry
}

/** Whether a value is fine as it is. Own predicates and getters may throw: then the schema says what is wrong. */
export function isAccepted(check: PayloadCheck | undefined, value: unknown): boolean {
  try {
    return check?.(value) === true
  } catch {
    return false
  }
}

/**
 * Gives the message as its receiver should see it: itself when the schema accepts it as it is, otherwise the parsed copy.
 * @throws {MessageInvalidError} `MESSAGE_INVALID` when the schema refuses it, or when the schema itself throws.
 */
export function parseMessage(entry: ProtocolEntry, given: Message, to: () => string): Message {
  if (isAccepted(entry.accepts, given)) return given
  const parsed = safely(entry.schema, given)
  // A loose object keeps `type`, so what comes out is a message again.
  if (parsed.success) return { ...(parsed.data as object), type: entry.type }
  throw new MessageInvalidError(to(), entry.type, parsed.issues, given)
}

/** The answer as its asker should see it, or what is wrong with it. */
export function parseAnswer(
  entry: ProtocolEntry,
  given: unknown,
):
  { readonly success: true; readonly data: unknown } | { readonly success: false; readonly issues: readonly string[] } {
  if (entry.answer === undefined || isAccepted(entry.acceptsAnswer, given)) return { success: true, data: given }
  return safely(entry.answer, given)
}

function safely(schema: z.ZodType, value: unknown) {
  try {
    const parsed = schema.safeParse(value)
    return parsed.success
      ? ({ success: true, data: parsed.data } as const)
      : ({ success: false, issues: describeIssues(parsed.error) } as const)
  } catch (error) {
    return { success: false, issues: [error instanceof Error ? error.message : String(error)] } as const
  }
}

/** One line per issue: `body.by: expected number`. */
export const describeIssues = (error: z.core.$ZodError): readonly string[] =>
  error.issues.map((issue) => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
