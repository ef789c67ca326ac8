import * as z from 'zod'
import { describeError } from '../../core/exit.ts'
import type { JournalEntry, NewEntry } from '../../core/journal.ts'
import type { Message } from '../../core/message.ts'
import { StreamMismatchError } from './errors.ts'
import { decode } from './values.ts'

// What the entries and snapshots of an actor's stream hold. docs/journal-format.md is the reference.

const messageSchema = z.custom<Message>(
  (given) => typeof given === 'object' && given !== null && 'type' in given && typeof given.type === 'string',
)
const seqSchema = z.int().positive()
const failureSchema = z.object({ name: z.string(), message: z.string(), code: z.string().optional() })

const createdSchema = z.object({ definition: z.string(), input: z.unknown().optional() })
/** A message on disk. `id`: it is handled once, however often it comes. `timer`: it is the tick of one. */
const receivedSchema = z.object({ id: z.string().optional(), timer: z.string().optional(), message: messageSchema })
/** Either the message itself or the `received` entry that has it. */
const takenSchema = z.object({
  of: seqSchema.optional(),
  id: z.string().optional(),
  timer: z.string().optional(),
  message: messageSchema.optional(),
})
/** `digest`: checksum of the state after it. */
const handledSchema = takenSchema.extend({ digest: z.number().optional() })
const failedSchema = takenSchema.extend({ error: failureSchema })
/** A durable message that is to be sent: to the actor at this path. */
const letterSchema = z.object({ id: z.string(), to: z.string(), message: messageSchema })
/**
 * `of`: the `received` entry whose handler runs it. `atMs`: what that handler takes for now. `letter`: it is no code that
 * runs, but a message that a chart sends.
 */
const intentSchema = z.object({
  key: z.string(),
  of: seqSchema.optional(),
  atMs: z.number(),
  idempotent: z.boolean().optional(),
  letter: letterSchema.optional(),
})
/** One of `value`, `blob` (the id of the value's text) and `error`. */
const outcomeSchema = z.object({
  key: z.string(),
  of: seqSchema.optional(),
  value: z.unknown().optional(),
  blob: z.string().optional(),
  error: failureSchema.optional(),
})

const missedSchema = z.enum(['skip', 'one', 'all'])
const timerSchema = z.object({
  dueMs: z.number(),
  message: messageSchema,
  recurrence: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('every'), periodMs: z.number().positive(), missed: missedSchema }),
      z.object({ kind: z.literal('cron'), pattern: z.string(), timezone: z.string(), missed: missedSchema }),
    ])
    .optional(),
})

const snapshotSchema = z.object({
  definition: z.string(),
  input: z.unknown().optional(),
  state: z.unknown(),
  turns: z.int().nonnegative(),
  timers: z.array(z.tuple([z.string(), timerSchema])),
  outcomes: z.array(z.tuple([z.string(), outcomeSchema])),
  seen: z.array(z.string()),
  pending: z.array(z.tuple([seqSchema, receivedSchema])),
  intents: z.array(z.tuple([z.string(), intentSchema])),
})

export type Received = z.infer<typeof receivedSchema>
export type Taken = z.infer<typeof takenSchema>
export type Handled = z.infer<typeof handledSchema>
export type Failed = z.infer<typeof failedSchema>
export type Letter = z.infer<typeof letterSchema>
export type Intent = z.infer<typeof intentSchema>
export type Outcome = z.infer<typeof outcomeSchema>
export type SnapshotBody = z.infer<typeof snapshotSchema>

const schemas = {
  created: createdSchema,
  received: receivedSchema,
  handled: handledSchema,
  failed: failedSchema,
  intent: intentSchema,
  outcome: outcomeSchema,
} as const satisfies Record<NewEntry['kind'], z.ZodType>

/** An entry, with what its body holds. */
export type OpenEntry = {
  [Kind in keyof typeof schemas]: {
    readonly kind: Kind
    readonly seq: number
    readonly version: number
    readonly atMs: number
    readonly body: z.infer<(typeof schemas)[Kind]>
  }
}[keyof typeof schemas]

/** @throws {StreamMismatchError} `STREAM_MISMATCH` when the body is none of ours. */
export function openEntry(entry: JournalEntry): OpenEntry {
  const { kind, seq, version, atMs } = entry
  const body = parse(schemas[kind], entry.body, entry.stream)
  // The schema was chosen by the kind.
  return { kind, seq, version, atMs, body } as OpenEntry
}

/** @throws {StreamMismatchError} `STREAM_MISMATCH` when the body is none of ours. */
export const openSnapshot = (stream: string, body: string): SnapshotBody => parse(snapshotSchema, body, stream)

function parse<Schema extends z.ZodType>(schema: Schema, body: string, stream: string): z.output<Schema> {
  let value: unknown
  try {
    value = decode(body)
  } catch (error) {
    throw new StreamMismatchError(stream, `something else: ${describeError(error)}`, 'an actor')
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new StreamMismatchError(stream, `something else: ${parsed.error.message}`, 'an actor')
  return parsed.data
}
