import type { Arbitrary } from 'fast-check'
import * as z from 'zod'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { fastCheck, type FastCheck } from '../fast-check.ts'
import { filtered, type Verdict } from './accepting.ts'
import { kinds } from './schema-kinds.ts'

export type Schema = z.core.$ZodType
export type Kind = z.core.$ZodTypes['_zod']['def']['type']
export type DefOf<K extends Kind> = Extract<z.core.$ZodTypes, { _zod: { def: { type: K } } }>['_zod']['def']

/** Where in a schema a value is looked for. */
export interface Place {
  readonly fc: FastCheck
  readonly schema: Schema
  /** As in errors: `arbitraryOf(schema).items[].price`. */
  readonly where: string
  /** The arbitrary of a part. Undefined: it has no value, or none without the schema inside itself once too often. */
  readonly part: (schema: Schema, step: string) => Arbitrary<unknown> | undefined
}

/** Makes the values of one kind of schema, apart from what `accepting` sorts out. Undefined as for `part`. */
export type Build<K extends Kind> = (def: DefOf<K>, place: Place) => Arbitrary<unknown> | undefined

export interface ArbitraryOptions {
  /** What to give for these schemas, by instance, wherever they occur: `new Map([[iban, fc.constant('...')]])`. */
  readonly overrides?: ReadonlyMap<Schema, Arbitrary<unknown>>
  /** How often a schema may occur inside itself. Default 3. */
  readonly maxDepth?: number
  /** Values in a row that a refinement may refuse before drawing one throws. Default 1,000. */
  readonly maxTries?: number
}

/**
 * Any value that `schema` accepts, as it takes it: before defaults and transforms. Values shrink towards small ones, and
 * shrunk values are accepted too. Refinements and transforms run while values are drawn.
 * @throws {DefinitionInvalidError} `DEFINITION_INVALID` for what no value can be made of (`z.promise()`, `z.file()`, a
 * regular expression that looks ahead); drawing a value throws it where none is found. The error names the place.
 * @throws {DependencyMissingError} `DEPENDENCY_MISSING` without fast-check.
 */
export function arbitraryOf<S extends Schema>(schema: S, options: ArbitraryOptions = {}): Arbitrary<z.input<S>> {
  const where = 'arbitraryOf(schema)'
  const builder = new Builder(options)
  const found = builder.build(schema, where, 0)
  if (found === undefined) throw new DefinitionInvalidError(where, 'has no value, or none that is finite')
  // What the schema accepts is of its input type.
  return builder.accepting(schema, found, where) as Arbitrary<z.input<S>>
}

class Builder {
  readonly #overrides: ReadonlyMap<Schema, Arbitrary<unknown>>
  readonly #maxDepth: number
  readonly #maxTries: number
  /** What is being built, from the outermost in. */
  readonly #open: (Schema | string)[] = []
  /** By how often a schema occurred in itself on the way there. */
  readonly #built = new Map<Schema, Map<number, Arbitrary<unknown>>>()

  constructor({ overrides = new Map(), maxDepth = 3, maxTries = 1_000 }: ArbitraryOptions) {
    for (const [name, bound, least] of [
      ['maxDepth', maxDepth, 0],
      ['maxTries', maxTries, 1],
    ] as const)
      if (!Number.isSafeInteger(bound) || bound < least)
        throw new DefinitionInvalidError(`arbitraryOf.${name}`, `${bound} is not an integer of ${least} or more`)
    this.#overrides = overrides
    this.#maxDepth = maxDepth
    this.#maxTries = maxTries
  }

  build(schema: Schema, where: string, depth: number): Arbitrary<unknown> | undefined {
    const override = this.#overrides.get(schema)
    if (override !== undefined) return this.accepting(schema, override, where)
    const { def } = schema._zod
    // `const tree = () => z.array(z.lazy(() => tree()))` makes new ones for ever: by its text, each is the first one again.
    const identity = def.type === 'lazy' && 'getter' in def ? String(def.getter) : schema
    const below = Math.max(depth, this.#open.filter((each) => each === identity).length)
    if (below > this.#maxDepth) return undefined
    const known = this.#built.get(schema)?.get(below)
    if (known !== undefined) return known
    this.#open.push(identity)
    try {
      return this.#remember(schema, below, this.#make(schema, where, below))
    } finally {
      this.#open.pop()
    }
  }

  /** As `source`, but only what the schema accepts. */
  accepting(schema: Schema, source: Arbitrary<unknown>, where: string): Arbitrary<unknown> {
    return filtered(source, { judge: (value) => judge(schema, value), where, maxTries: this.#maxTries })
  }

  #make(schema: Schema, where: string, depth: number): Arbitrary<unknown> | undefined {
    const { def } = schema._zod
    // The table has a builder of exactly this kind, or none.
    const make = kinds[def.type as Kind] as Build<never> | undefined
    if (make === undefined)
      throw new DefinitionInvalidError(where, `is of kind ${def.type}: give an arbitrary for it in overrides`)
    const part: Place['part'] = (inner, step) => this.build(inner, where + step, depth)
    const made = make(def as never, { fc: fastCheck(), schema, where, part })
    return made !== undefined && isDoubtful(def) ? this.accepting(schema, made, where) : made
  }

  #remember(schema: Schema, depth: number, made: Arbitrary<unknown> | undefined): Arbitrary<unknown> | undefined {
    if (made === undefined) return undefined
    const byDepth = this.#built.get(schema) ?? new Map<number, Arbitrary<unknown>>()
    this.#built.set(schema, byDepth.set(depth, made))
    return made
  }
}

/** Kinds whose parts being right does not make the whole right. */
const doubtful: ReadonlySet<string> = new Set(['intersection', 'pipe', 'transform', 'nonoptional', 'record', 'custom'])

/** Whether values have to be tried: there are checks, formats, an exclusive union. */
const isDoubtful = (def: z.core.$ZodTypeDef): boolean =>
  doubtful.has(def.type) ||
  (def.checks !== undefined && def.checks.length > 0) ||
  'check' in def ||
  (def.type === 'union' && 'inclusive' in def && def.inclusive === false)

function judge(schema: Schema, value: unknown): Verdict {
  try {
    const parsed = z.safeParse(schema, value)
    return parsed.success ? { passes: true } : { passes: false, because: parsed.error.issues[0]?.message }
  } catch (error) {
    // A refinement that throws accepts nothing; one that is async throws zod's error which says so.
    return { passes: false, because: error }
  }
}
