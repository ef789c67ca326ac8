import * as z from 'zod'
import type { FastCheck } from '../fast-check.ts'
import { shrinkingTo } from './accepting.ts'
import type { Build, DefOf } from './schema.ts'

/** The checks of a schema, as far as they say something about its size. */
type Checks = readonly z.core.$ZodCheck[] | undefined

interface Range<T> {
  min: T | undefined
  max: T | undefined
  minExcluded: boolean
  maxExcluded: boolean
  step: T | undefined
  readonly formats: string[]
}

const checkOf = (check: z.core.$ZodCheck): z.core.$ZodChecks['_zod']['def'] =>
  // $ZodChecks is the union of all classes of checks that zod has but for refinements; `check` tells them apart.
  check._zod.def as z.core.$ZodChecks['_zod']['def']

/** What bounds, steps and formats say. `is` tells the values of this kind. */
function rangeOf<T extends number | bigint>(checks: Checks, is: (value: unknown) => value is T): Range<T> {
  const range: Range<T> = {
    min: undefined,
    max: undefined,
    minExcluded: false,
    maxExcluded: false,
    step: undefined,
    formats: [],
  }
  for (const check of checks ?? []) {
    const def = checkOf(check)
    if (def.check === 'number_format' || def.check === 'bigint_format') range.formats.push(def.format)
    if (def.check === 'multiple_of' && is(def.value)) range.step ??= def.value
    if (def.check === 'greater_than' && is(def.value)) raise(range, def.value, !def.inclusive)
    if (def.check === 'less_than' && is(def.value)) lower(range, def.value, !def.inclusive)
  }
  return range
}

function raise<T extends number | bigint>(range: Range<T>, min: T, excluded: boolean): void {
  if (range.min !== undefined && range.min > min) return
  range.minExcluded = excluded || (range.min === min && range.minExcluded)
  range.min = min
}

function lower<T extends number | bigint>(range: Range<T>, max: T, excluded: boolean): void {
  if (range.max !== undefined && range.max < max) return
  range.maxExcluded = excluded || (range.max === max && range.maxExcluded)
  range.max = max
}

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isBigint = (value: unknown): value is bigint => typeof value === 'bigint'

export const number: Build<'number'> = (def, { fc }) => {
  const range = rangeOf(def.checks, isNumber)
  if ('format' in def) range.formats.push(String(def.format))
  for (const format of range.formats) {
    // Only formats of numbers were gathered, and the table has all of them.
    const [min, max] = z.core.util.NUMBER_FORMAT_RANGES[format as z.core.$ZodNumberFormats]
    raise(range, min, false)
    lower(range, max, false)
  }
  const { minExcluded, maxExcluded, step } = range
  const [min, max] = [range.min ?? -Infinity, range.max ?? Infinity]
  if (step !== undefined) return integers({ ...range, min: min / step, max: max / step }, fc)?.map(times(step))
  const whole = integers({ ...range, min, max }, fc)
  if (range.formats.some((format) => format.includes('int'))) return whole
  if (min > max || (min === max && (minExcluded || maxExcluded))) return undefined
  const real = fc.double({ min, max, minExcluded, maxExcluded, noNaN: true, noDefaultInfinity: true })
  return shrinkingTo(whole === undefined ? real : fc.oneof(whole, real), rounder)
}

/** A failure should shrink to a number that is quick to read: a whole one, or one with few digits. */
const rounder = (value: number): readonly number[] =>
  Number.isInteger(value)
    ? []
    : [Math.trunc(value), Math.trunc(value) + Math.sign(value), Number(value.toFixed(1))].filter(
        (each) => each !== value,
      )

/** Multiples as people write them: 0.3, not 0.30000000000000004. */
const times =
  (step: number) =>
  (count: number): number =>
    Number((count * step).toPrecision(15))

function integers({ min, max, minExcluded, maxExcluded }: Range<number> & { min: number; max: number }, fc: FastCheck) {
  const first = Math.max(Math.ceil(min) + (minExcluded && Number.isInteger(min) ? 1 : 0), Number.MIN_SAFE_INTEGER)
  const last = Math.min(Math.floor(max) - (maxExcluded && Number.isInteger(max) ? 1 : 0), Number.MAX_SAFE_INTEGER)
  return first <= last ? fc.integer({ min: first, max: last }) : undefined
}

export const bigint: Build<'bigint'> = (def, { fc }) => {
  const range = rangeOf(def.checks, isBigint)
  if ('format' in def) range.formats.push(String(def.format))
  for (const format of range.formats) {
    // As above.
    const [min, max] = z.core.util.BIGINT_FORMAT_RANGES[format as z.core.$ZodBigIntFormats]
    raise(range, min, false)
    lower(range, max, false)
  }
  const step = range.step ?? 1n
  const first = range.min === undefined ? undefined : above(range.min + (range.minExcluded ? 1n : 0n), step)
  const last = range.max === undefined ? undefined : below(range.max - (range.maxExcluded ? 1n : 0n), step)
  if (first !== undefined && last !== undefined && first > last) return undefined
  const bounds = { ...(first === undefined ? {} : { min: first }), ...(last === undefined ? {} : { max: last }) }
  return fc.bigInt(bounds).map((count) => count * step)
}

/** Division towards minus infinity, which BigInt has not. */
const below = (value: bigint, step: bigint): bigint => value / step - (value % step < 0n ? 1n : 0n)
const above = (value: bigint, step: bigint): bigint => -below(-value, step)

export const date: Build<'date'> = (def, { fc }) => {
  const at: { min?: Date; max?: Date } = {}
  for (const check of def.checks ?? []) {
    const bound = checkOf(check)
    if (bound.check === 'greater_than')
      at.min = laterOf(at.min, new Date(Number(bound.value) + (bound.inclusive ? 0 : 1)))
    if (bound.check === 'less_than')
      at.max = earlierOf(at.max, new Date(Number(bound.value) - (bound.inclusive ? 0 : 1)))
  }
  if (at.min !== undefined && at.max !== undefined && at.min > at.max) return undefined
  return fc.date({ ...at, noInvalidDate: true })
}

const laterOf = (a: Date | undefined, b: Date): Date => (a !== undefined && a > b ? a : b)
const earlierOf = (a: Date | undefined, b: Date): Date => (a !== undefined && a < b ? a : b)

export interface Sizes {
  readonly minLength?: number
  readonly maxLength?: number
}

/** How long a text, a list, a set or a map may be. */
export function sizesOf(checks: Checks): Sizes {
  let min = 0
  let max = Infinity
  for (const check of checks ?? []) {
    const def = checkOf(check)
    if (def.check === 'min_length' || def.check === 'min_size') min = Math.max(min, def.minimum)
    if (def.check === 'max_length' || def.check === 'max_size') max = Math.min(max, def.maximum)
    const exact = def.check === 'length_equals' ? def.length : def.check === 'size_equals' ? def.size : undefined
    if (exact !== undefined) [min, max] = [Math.max(min, exact), Math.min(max, exact)]
  }
  return { minLength: min, ...(max === Infinity ? {} : { maxLength: max }) }
}

/** The formats and patterns of a text, its own and those of its checks. */
export function formatsOf(def: DefOf<'string'>): readonly z.core.$ZodCheckStringFormatDef[] {
  // What has `check: 'string_format'` is such a definition, whichever format it is of.
  const own = 'check' in def && def.check === 'string_format' ? [def as unknown as z.core.$ZodCheckStringFormatDef] : []
  const more = (def.checks ?? []).map(checkOf).filter((each) => each.check === 'string_format')
  return [...own, ...more]
}
