import type * as z from 'zod'

/** A named stream of payloads of one shape: publish to it, subscribe to it. Made by `defineTopic`. */
export interface Topic<Payload> {
  readonly kind: 'topic'
  readonly name: string
  readonly schema: z.ZodType<Payload>
}

/** A topic for payloads of this schema: `defineTopic('log-line', z.object({ ip: z.string() }))`. Plain data. */
export const defineTopic = <Schema extends z.ZodType>(name: string, schema: Schema): Topic<z.output<Schema>> => ({
  kind: 'topic',
  name,
  // A schema of this very type: zod's class has more type parameters than a topic needs to tell.
  schema: schema as unknown as z.ZodType<z.output<Schema>>,
})

declare const keyBrand: unique symbol

/** What actors of one protocol register under to be found: Pekko's ServiceKey. Made by `defineKey`. */
export interface DiscoveryKey<Protocol> {
  readonly kind: 'key'
  readonly name: string
  readonly [keyBrand]?: Protocol
}

/** A key under which actors of `protocol` are found: `defineKey('readers', reader.protocol)`. Plain data. */
export const defineKey = <Protocol>(name: string, _protocol: Protocol): DiscoveryKey<Protocol> => ({
  kind: 'key',
  name,
})

/** How much harm a decision can do. */
export type Risk = 'low' | 'medium' | 'high'

/** What a decision takes: an actor may decide it alone only when its authority covers all of this. */
export interface DecisionNeeds {
  /** Kind of action: `delete-file`. */
  readonly action: string
  readonly spendUsd?: number
  readonly risk?: Risk
  readonly tool?: string
}

/** A decision that somebody with enough authority has to take. */
export interface EscalationRequest<Choice extends string> extends DecisionNeeds {
  readonly options: readonly Choice[]
  /** What is chosen when nobody has decided in time. Make it the harmless one: it needs no authority and counts as no spending. */
  readonly defaultChoice: Choice
  /** What the one who asks would choose alone. Without it, somebody else is asked in any case. */
  readonly choice?: Choice
  /** Milliseconds until the default is taken, above 0. */
  readonly deadlineMs: number
  /** Whatever helps the one who decides. */
  readonly detail?: unknown
}

export interface EscalationOutcome<Choice extends string> {
  readonly choice: Choice
  /** Path of the actor that decided alone or of the tier that did, `person`, or `default` when nobody did in time. */
  readonly by: string
  readonly reason: string
}

/** How an effect is settled of which nobody knows whether it ran: the journal has its intent and no outcome. */
export type Resolution =
  /** It ran, and this is what it came to. */
  | { readonly kind: 'value'; readonly value: unknown }
  /** It did not run, or it failed: this is its failure. */
  | { readonly kind: 'failed'; readonly error: Error }
  /** It is run (again). */
  | { readonly kind: 'retry' }

/** An effect in doubt, and what was known when it began. */
export interface InDoubt {
  readonly stream: string
  readonly key: string
  readonly idempotencyKey: string
  /** Epoch milliseconds of the message that began it. */
  readonly beganAtMs: number
}
