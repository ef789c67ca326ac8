import type { Arbitrary } from 'fast-check'
import type * as z from 'zod'
import { DefinitionInvalidError } from '../../core/errors.ts'
import type { FastCheck } from '../fast-check.ts'
import { formatsOf, sizesOf } from './schema-numbers.ts'
import type { Build, Place } from './schema.ts'

type Format = z.core.$ZodCheckStringFormatDef

/** What a text has to begin with, to end with and to contain. */
interface Fixed {
  prefix: string
  suffix: string
  readonly inside: string[]
  casing: 'toLowerCase' | 'toUpperCase' | 'toString'
}

export const text: Build<'string'> = (def, place) => {
  const { minLength = 0, maxLength = Infinity } = sizesOf(def.checks)
  const fixed: Fixed = { prefix: '', suffix: '', inside: [], casing: 'toString' }
  const formats = formatsOf(def).filter((format) => !isFixed(format, fixed))
  if (minLength > maxLength) return undefined
  const [format] = formats
  if (format !== undefined) return ofFormat(format, minLength, place).map((some) => fitted(some, fixed))
  const taken = fixed.prefix.length + fixed.suffix.length + fixed.inside.join('').length
  const sizes = { minLength: Math.max(minLength - taken, 0), maxLength: Math.max(maxLength - taken, 0) }
  return wrapped(anyText(place.fc, sizes), fixed)
}

function anyText(fc: FastCheck, { minLength, maxLength }: { minLength: number; maxLength: number }): Arbitrary<string> {
  const bounds = maxLength === Infinity ? { minLength } : { minLength, maxLength }
  if (maxLength < 2 || minLength > 0) return fc.string(bounds)
  // Characters of two units, and those that have no glyph, are where programs are wrong. fast-check's own unit for them
  // takes a second to be made.
  const points = fc.oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
  const units = fc.array(points, maxLength === Infinity ? {} : { maxLength: Math.floor(maxLength / 2) })
  const wide = units.map((all) => String.fromCodePoint(...all))
  return fc.oneof({ weight: 5, arbitrary: fc.string(bounds) }, { weight: 1, arbitrary: wide })
}

function isFixed(format: Format, fixed: Fixed): boolean {
  if ('prefix' in format) fixed.prefix = longer(fixed.prefix, String(format.prefix))
  else if ('suffix' in format) fixed.suffix = longer(fixed.suffix, String(format.suffix))
  else if ('includes' in format) fixed.inside.push(String(format.includes))
  else if (format.format === 'lowercase') fixed.casing = 'toLowerCase'
  else if (format.format === 'uppercase') fixed.casing = 'toUpperCase'
  else return false
  return true
}

const longer = (a: string, b: string): string => (b.length > a.length ? b : a)

const wrapped = (middle: Arbitrary<string>, { prefix, suffix, inside, casing }: Fixed): Arbitrary<string> =>
  prefix === '' && suffix === '' && inside.length === 0 && casing === 'toString'
    ? middle
    : middle.map((some) => prefix + some[casing]() + inside.join('') + suffix)

/** A text of a format with what it has to have, in a way that may leave it one: `a@b.cc` ends with `@d.com` as `a@d.com`. */
function fitted(some: string, { prefix, suffix, inside, casing }: Fixed): string {
  const full = some[casing]() + inside.filter((part) => !some.includes(part)).join('')
  const begun = full.startsWith(prefix) ? full : prefix + full
  if (begun.endsWith(suffix)) return begun
  const from = begun.lastIndexOf(suffix.charAt(0))
  return (from === -1 ? begun : begun.slice(0, from)) + suffix
}

function ofFormat(format: Format, minLength: number, place: Place): Arbitrary<string> {
  const special = Object.hasOwn(specials, format.format) ? specials[format.format] : undefined
  // Such a format has a pattern of its own when the program gave one.
  const made = special?.(place.fc, format)
  if (made !== undefined) return made
  if (format.pattern === undefined) return place.fc.string({ minLength })
  return matching(format.pattern, minLength, place)
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a pattern that looks ahead or behind, or refers back. */
export function matching(pattern: RegExp, minLength: number, { fc, where }: Place): Arbitrary<string> {
  // Of the flags only these change what a text looks like; one that ignores case is met by either.
  const flags = pattern.flags.replaceAll(/[^msu]/g, '')
  const size = minLength > 100 ? 'large' : minLength > 8 ? 'medium' : undefined
  try {
    const regex = new RegExp(pattern.source, pattern.flags.includes('v') ? `${flags}u` : flags)
    return fc.stringMatching(regex, size === undefined ? {} : { size })
  } catch (error) {
    throw new DefinitionInvalidError(
      where,
      `no text can be made for the pattern ${String(pattern)}: give an arbitrary for it in overrides`,
      { cause: error },
    )
  }
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const hostnames = /^[a-z][a-z0-9]{0,8}(\.[a-z]{2,6}){1,2}$/
const paths = /^(\/[a-z0-9]{1,8}){0,3}(\?[a-z]=[a-z0-9]{0,5})?$/
const durations = /^P([1-9]W|([1-9]\d?Y)?([1-9]M)?[1-9]\d?D(T[1-9]H([1-5]\d?M)?)?|T[1-9]\d?S)$/

/** Formats whose pattern looks ahead, that have a check sum, or that are more than their pattern. */
const specials: Readonly<Record<string, (fc: FastCheck, format: Format) => Arbitrary<string> | undefined>> = {
  url: (fc, format) => {
    const { hostname, protocol } = format as z.core.$ZodURLDef // the format names its definition
    const schemes = ['http', 'https', 'ws', 'wss', 'ftp'].filter((scheme) => matches(protocol, scheme))
    if (schemes.length === 0) return undefined
    const host = hostname ?? hostnames
    const plain = fc
      .tuple(fc.constantFrom(...schemes), fc.stringMatching(hostnames), fc.stringMatching(paths))
      .map(([scheme, name, path]) => `${scheme}://${name}${path}`)
    // zod's own pattern of hostnames looks ahead; what the plain ones look like fits it.
    if (matches(hostname, 'a.bc')) return plain
    return fc
      .tuple(fc.constantFrom(...schemes), fc.stringMatching(host))
      .map(([scheme, name]) => `${scheme}://${name}/`)
  },
  uuid: (fc, format) => {
    const { version } = format as z.core.$ZodUUIDDef // the format names its definition
    // Digits are those of their names: v1 to v8.
    return version === undefined ? fc.uuid() : fc.uuid({ version: Number(version.slice(1)) as 1 })
  },
  hostname: (fc) => fc.stringMatching(hostnames),
  duration: (fc) => fc.stringMatching(durations),
  emoji: (fc) => fc.array(fc.constantFrom('🙂', '🚀', '👍🏽', '❤️', '🇫🇷'), { minLength: 1 }).map((all) => all.join('')),
  iban: (fc) => fc.constantFrom('DE89370400440532013000', 'GB82WEST12345698765432', 'NO9386011117947'),
  credit_card: (fc) => fc.constantFrom('4242424242424242', '5555555555554444', '378282246310005'),
  jwt: (fc, format) => {
    const { alg = 'HS256' } = format as z.core.$ZodJWTDef // the format names its definition
    const body = fc.record({ sub: fc.string(), exp: fc.nat() })
    return body.map((claims) => `${base64url({ alg, typ: 'JWT' })}.${base64url(claims)}.c2ln`)
  },
}

const matches = (pattern: RegExp | undefined, some: string): boolean =>
  pattern === undefined || new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')).test(some)
