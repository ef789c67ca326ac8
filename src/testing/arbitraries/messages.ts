import type { Arbitrary } from 'fast-check'
import * as z from 'zod'
import {
  entryOf,
  parseMessage,
  protocolTable,
  type Protocol,
  type ProtocolTable,
  type Sent,
} from '../../actors/protocol.ts'
import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Message } from '../../core/message.ts'
import { fastCheck, type FastCheck } from '../fast-check.ts'
import { filtered } from './accepting.ts'
import { arbitraryOf, type ArbitraryOptions } from './schema.ts'

/** What has a protocol: the definition of an actor, or the protocol itself. */
export type Speaker<P extends Protocol> = P | { readonly kind: 'actor'; readonly protocol: P }

export interface MessagesOptions<Only, Except> extends ArbitraryOptions {
  /** Types to take. Default: all messages and questions. */
  readonly only?: readonly Only[]
  readonly except?: readonly Except[]
}

type NameOf<P extends Protocol> = keyof P & string
/** Messages and questions of these types, as a sender writes them. */
export type SentOf<P extends Protocol, K extends NameOf<P>> = { [T in K]: Sent<P, T> }[K]

/**
 * Any message or question that an actor of this protocol understands. `overrides` gives values for single schemas.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` as `arbitraryOf` does, and when no type is left.
 */
export function messagesOf<P extends Protocol, Only extends NameOf<P> = NameOf<P>, Except extends NameOf<P> = never>(
  of: Speaker<P>,
  options: MessagesOptions<Only, Except> = {},
): Arbitrary<SentOf<P, Exclude<Only, Except>>> {
  const all = byType(protocolOf(of), options)
  // Exactly the messages of the types that are left.
  return fastCheck().oneof(...all.values()) as Arbitrary<SentOf<P, Exclude<Only, Except>>>
}

export const protocolOf = <P extends Protocol>(of: Speaker<P>): P =>
  // Only a definition has a kind that is a text.
  of.kind === 'actor' ? (of as { readonly protocol: P }).protocol : (of as P)

/** One arbitrary for each type. */
export function byType(
  protocol: Protocol,
  { only, except = [], ...options }: MessagesOptions<string, string> = {},
): ReadonlyMap<string, Arbitrary<Message>> {
  const unknown = [...(only ?? []), ...except].find((type) => !Object.hasOwn(protocol, type))
  if (unknown !== undefined) throw new DefinitionInvalidError('messagesOf', `the protocol has no '${unknown}'`)
  const types = Object.keys(protocol).filter((type) => (only ?? [type]).includes(type) && !except.includes(type))
  if (types.length === 0)
    throw new DefinitionInvalidError('messagesOf', 'no message is left to make: check only and except')
  return new Map(types.map((type) => [type, bodyOf(protocol, type, options).map((body) => ({ type, ...body }))]))
}

function bodyOf(protocol: Protocol, type: string, options: ArbitraryOptions): Arbitrary<object> {
  try {
    return arbitraryOf(z.object(protocol[type]?.shape), options)
  } catch (error) {
    if (!(error instanceof DefinitionInvalidError)) throw error
    const where = error.where.replace('arbitraryOf(schema)', type)
    throw new DefinitionInvalidError(where, error.message.slice(error.where.length + 2), { cause: error })
  }
}

/**
 * Near misses: what an actor of this protocol refuses though it looks almost right, or looks like an attack. A field of a
 * wrong type, or missing, or one too many where the schema is strict; an unknown type; fields behind `__proto__`; a thing
 * that is no message at all. Each was shown to the protocol itself, and was refused.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` as `messagesOf` does.
 */
export function invalidMessagesOf<
  P extends Protocol,
  Only extends NameOf<P> = NameOf<P>,
  Except extends NameOf<P> = never,
>(of: Speaker<P>, options: MessagesOptions<Only, Except> = {}): Arbitrary<unknown> {
  const fc = fastCheck()
  const protocol = protocolOf(of)
  const table = protocolTable(protocol)
  const right = fc.oneof(...byType(protocol, options).values())
  const missed = fc
    .record({ message: right, miss: fc.constantFrom(...misses), at: fc.nat(1_000), junk: junkOf(fc) })
    .map(({ message, miss, at, junk }) => miss(message, at, junk))
  const judge = (value: unknown) => ({ passes: isRefused(table, value), because: 'the protocol takes it' })
  return filtered(missed, { judge, where: 'invalidMessagesOf', maxTries: options.maxTries ?? 1_000 })
}

/** As the runtime decides when it is told something. */
function isRefused(table: ProtocolTable, given: unknown): boolean {
  try {
    // Whatever it is: that it is a message is what the protocol checks.
    parseMessage(
      entryOf(table, given, () => 'it'),
      given as Message,
      () => 'it',
    )
    return false
  } catch {
    return true
  }
}

const hostile = ['__proto__', 'constructor', 'then', 'toString', 'hasOwnProperty', 'valueOf'] as const

const junkOf = (fc: FastCheck): Arbitrary<unknown> =>
  fc.oneof(
    fc.constantFrom<unknown>(undefined, null, NaN, Infinity, -1, 0.5, '', '1', true, [], 10n, Symbol('type')),
    fc.constant({}),
    fc.constant(() => undefined),
    fc.string(),
    fc.jsonValue({ maxDepth: 1 }),
  )

type Miss = (message: Message, at: number, junk: unknown) => unknown
type Key = string | number
type Change = (holder: Readonly<Record<Key, unknown>>, key: Key) => Readonly<Record<Key, unknown>>

const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % all.length]
const without = (holder: Readonly<Record<Key, unknown>>, key: Key): Record<Key, unknown> =>
  Object.fromEntries(Object.entries(holder).filter(([name]) => name !== String(key)))
/** A key of the object itself, also when it is called `__proto__`. */
const withOwn = <T extends object>(holder: T, key: string, value: unknown): T =>
  Object.defineProperty({ ...holder }, key, { value, enumerable: true, configurable: true, writable: true })

const misses: readonly Miss[] = [
  // Fields of a wrong type, twice: it is what goes wrong most.
  (message, at, junk) => changed(message, at, (holder, key) => withOwn(holder, String(key), junk)),
  (message, at, junk) => changed(message, at, (holder, key) => withOwn(holder, String(key), junk)),
  (message, at) => changed(message, at, without),
  (message, at, junk) => changed(message, at, (holder) => withOwn(holder, pick(['extra', ...hostile], at) ?? '', junk)),
  // A field that is there only for those who look where they should not.
  (message, at) =>
    changed(message, at, (holder, key) =>
      withOwn(without(holder, key), pick(hostile, at) ?? '', { [key]: holder[key] }),
    ),
  (message, at) => ({
    ...message,
    type: pick([`${message.type}s`, message.type.toUpperCase(), '', '*', ...hostile], at),
  }),
  (message, _at, junk) => ({ ...message, type: junk }),
  (message) => without(message as unknown as Record<string, unknown>, 'type'), // a message is an object of fields
  (message, at, junk) => pick([junk, message.type, [message], null, undefined], at),
]

/** The message with one of its fields changed, at any depth; its type is left alone. */
function changed(message: Message, at: number, change: Change): unknown {
  const paths = pathsIn(message).filter(([first]) => first !== 'type')
  const path = pick(paths, at)
  return path === undefined ? change({ ...message }, 'type') : changedAt(message, path, change)
}

const isHolder = (value: unknown): value is Readonly<Record<Key, unknown>> =>
  typeof value === 'object' &&
  value !== null &&
  (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)

const pathsIn = (value: unknown): readonly (readonly Key[])[] =>
  isHolder(value)
    ? Object.keys(value).flatMap((key) => [[key], ...pathsIn(value[key]).map((path) => [key, ...path])])
    : []

function changedAt(holder: unknown, [key = '', ...deeper]: readonly Key[], change: Change): unknown {
  if (!isHolder(holder)) return holder
  if (deeper.length === 0) return sameKind(holder, change({ ...holder }, key))
  return sameKind(holder, withOwn({ ...holder }, String(key), changedAt(holder[key], deeper, change)))
}

/** A list stays one, so that what is wrong is an element. */
const sameKind = (before: object, after: object): object => (Array.isArray(before) ? Object.values(after) : after)
