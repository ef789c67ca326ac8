/** One line that a process wrote. */
export interface OutputLine {
  readonly from: 'stdout' | 'stderr'
  /** Which start of the process it is of, from 1. */
  readonly start: number
  readonly text: string
}

/** What a line is looked for by: a part of it, or a pattern. */
export type LineMatch = string | RegExp

/** Characters of a line at most: what is longer is kept as several. */
const mostCharacters = 16_384

interface Waiting {
  readonly match: LineMatch
  readonly start: number
  resolve(text: string): void
  reject(error: Error): void
}

/** The last whole lines that a process wrote over all of its starts, and who waits for one. Holds at most `maxLines`. */
export class OutputLines {
  readonly #maxLines: number
  readonly #lines: OutputLine[] = []
  readonly #waiting = new Set<Waiting>()
  #dropped = 0

  constructor(maxLines: number) {
    this.#maxLines = maxLines
  }

  get all(): readonly OutputLine[] {
    return this.#lines
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Takes what comes from one stream of one start, in pieces of any size. A last line without an end is not kept. */
  reader(from: OutputLine['from'], start: number): (text: string) => void {
    let rest = ''
    return (text) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#add({ from, start, text: line.replace(/\r$/, '') })
      while (rest.length > mostCharacters) {
        this.#add({ from, start, text: rest.slice(0, mostCharacters) })
        rest = rest.slice(mostCharacters)
      }
    }
  }

  /** The first line of `start` that matches, of those that are kept and those to come. Rejects when `ended` is called before. */
  find(match: LineMatch, start: number): Promise<string> {
    const kept = this.#lines.find((line) => line.start === start && matches(line.text, match))
    if (kept !== undefined) return Promise.resolve(kept.text)
    return new Promise((resolve, reject) => {
      this.#waiting.add({ match, start, resolve, reject })
    })
  }

  /** Nothing comes from `start` any more. */
  ended(start: number, why: string): void {
    for (const waiting of this.#waiting) {
      if (waiting.start !== start) continue
      this.#waiting.delete(waiting)
      waiting.reject(new Error(`${why} and had not written ${String(waiting.match)}${this.#lastErrors(start)}`))
    }
  }

  #add(line: OutputLine): void {
    this.#lines.push(line)
    if (this.#lines.length > this.#maxLines) {
      this.#lines.shift()
      this.#dropped += 1
    }
    for (const waiting of this.#waiting) {
      if (waiting.start !== line.start || !matches(line.text, waiting.match)) continue
      this.#waiting.delete(waiting)
      waiting.resolve(line.text)
    }
  }

  #lastErrors(start: number): string {
    const errors = this.#lines.filter((line) => line.start === start && line.from === 'stderr').slice(-10)
    return errors.length === 0 ? '' : `; it wrote:\n${errors.map(({ text }) => text).join('\n')}`
  }
}

/** A pattern with the flags `g` or `y` remembers where it was: it is asked from the start each time. */
function matches(text: string, match: LineMatch): boolean {
  return typeof match === 'string' ? text.includes(match) : text.search(match) >= 0
}
