/** How numbers, times and foreign text are shown to people. */

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** `1.2 GB`: powers of 1,000, as disks are sold. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0]
  while (value >= 999.5 && unit < byteUnits.length - 1) [value, unit] = [value / 1000, unit + 1]
  const digits = unit > 0 && value < 9.95 ? 1 : 0
  return `${value.toFixed(digits)} ${byteUnits[unit] ?? ''}`
}

const spans = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** `3 min`: in the largest unit of which there is a whole one. */
export function spanText(ms: number): string {
  const [unit, size] = spans.find(([, least]) => ms >= least) ?? ['s', 1000]
  return `${Math.floor(Math.max(0, ms) / size)} ${unit}`
}

/** `3 min ago`. Clocks differ: what comes from the future was just now. */
export const agoText = (atMs: number, nowMs: number): string => `${spanText(nowMs - atMs)} ago`

/** When something is due: `in 2 h`, `3 min ago`, `-` for never. */
export function dueText(dueMs: number | null, nowMs: number): string {
  if (dueMs === null) return '-'
  // Unfinished work has no time of its own.
  if (dueMs <= 0) return 'at once'
  return dueMs > nowMs ? `in ${spanText(dueMs - nowMs)}` : agoText(dueMs, nowMs)
}

/** `2026-01-01 12:00:00.000Z`; the number itself where it is no time that a calendar has. */
export function timeText(atMs: number): string {
  const date = new Date(atMs)
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString().replace('T', ' ')
}

/** `1 stream`, `2 streams`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`

/** Foreign text without what could steer a terminal. */
export const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`)

/** Foreign text of several lines without what could steer a terminal. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n')

/** At most `columns` of a text, which say when there is more. */
export const cut = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`

/** One line of JSON, in which nothing steers a terminal. */
export const jsonLine = (value: unknown): string =>
  `${JSON.stringify(value).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`

/** A text in which the passwords of URLs are not. A password may have any sign in it, so that the last `@` ends it. */
export const hideSecrets = (text: string): string =>
  text
    .replaceAll(/(:\/\/[^\s:/@]*):\S*@/g, '$1:***@')
    .replaceAll(/([?&][^\s=&]*(?:pass|secret|token|key)[^\s=&]*)=[^\s&]*/gi, '$1=***')

/** Rows as lines whose columns are aligned; the last one is as long as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)), [])
  return rows
    .map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ')}\n`)
    .join('')
}
