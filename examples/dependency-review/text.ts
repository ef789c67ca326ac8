/**
 * Text that comes from packages is untrusted: a name, a licence field or a script may carry terminal escapes, markup,
 * right-to-left overrides or a megabyte of anything. It passes `clean` once, where it is read into a finding or a fact,
 * and `quote` where it is put into a sentence: a quoted value is a code span in markdown and reads as a quotation in a
 * terminal or in JSON, so one string serves all three.
 */

/** Longest piece of foreign text that is shown, in UTF-16 code units. */
export const MAX_SHOWN = 200

// An ANSI sequence goes as a whole, so that "\u001b[31mred" leaves "red" and not "[31mred".
const ansi =
  /\u001b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\u0007\u001b]{0,2000}(?:\u0007|\u001b\\)?|[PX^_][^\u001b]{0,2000}(?:\u001b\\)?|[ -/]*[0-~])/g
// Controls (C0, DEL, C1), zero width, bidirectional marks and overrides, line separators, BOM, tags, lone surrogates.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu
const spaces = /\s+/gu

/** One line of harmless text, at most `max` code units long. */
export function clean(text: string, max: number = MAX_SHOWN): string {
  // Bounded before the patterns run: foreign text may be a megabyte long.
  const line = text
    .slice(0, max * 8)
    .replace(ansi, '')
    .replace(spaces, ' ')
    .replace(invisible, '')
    .trim()
  if (line.length <= max) return line
  // A cut must not halve a surrogate pair.
  const end = /[\ud800-\udbff]/.test(line.charAt(max - 2)) ? max - 2 : max - 1
  return `${line.slice(0, end)}…`
}

/** `text` as a quotation that markdown cannot interpret: the value sits alone in a code span. */
export function quote(text: string, max: number = MAX_SHOWN): string {
  const line = clean(text, max).replaceAll('`', "'")
  return line === '' ? '(empty)' : `\`${line}\``
}

/** Up to `max` quoted values, then how many more there are. */
export function quoteAll(values: readonly string[], max = 8): string {
  const shown = values.slice(0, max).map((value) => quote(value))
  const more = values.length - shown.length
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** Order by code unit: the same on every machine and locale, which `localeCompare` is not. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** `1536` is "1.5 KiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const
  let value = bytes / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(1)} ${units[unit] ?? 'TiB'}`
}

/** `plural(1, 'package')` is "1 package", `plural(2, 'package')` "2 packages". */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`
}
