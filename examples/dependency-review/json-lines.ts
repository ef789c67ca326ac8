/**
 * In which line of a JSON text each member stands, so that a finding about `scripts.postinstall` can name its line.
 * `JSON.parse` does not keep positions. The text must have passed `JSON.parse` before; then the scan cannot fail.
 */

const SEPARATOR = '\0' // cannot be mistaken for a part of a key that people write, unlike '.' or '/'

export class JsonLines {
  readonly #lines = new Map<string, number>()

  /** Only members down to `maxDepth` are kept; `maxMembers` bounds the memory that a hostile text can take. */
  constructor(text: string, maxDepth = 8, maxMembers = 500_000) {
    const frames: { readonly path: string; readonly isArray: boolean; index: number; key: string | null }[] = []
    let line = 1
    const remember = (path: string): void => {
      if (frames.length <= maxDepth && this.#lines.size < maxMembers) this.#lines.set(path, line)
    }
    // The path of the value that starts here. An array's item is remembered at its value, a member at its key.
    const valuePath = (): string => {
      const frame = frames.at(-1)
      if (frame === undefined) return ''
      const path = frame.path + SEPARATOR + (frame.isArray ? String(frame.index) : (frame.key ?? ''))
      if (frame.isArray) remember(path)
      return path
    }
    for (let at = 0; at < text.length; at += 1) {
      const char = text.charAt(at)
      const frame = frames.at(-1)
      if (char === '\n') line += 1
      else if (char === '{' || char === '[') {
        frames.push({ path: frames.length > maxDepth ? '' : valuePath(), isArray: char === '[', index: 0, key: null })
      } else if (char === '}' || char === ']') frames.pop()
      else if (char === ',' && frame !== undefined) {
        frame.index += 1
        frame.key = null
      } else if (char === '"') {
        const start = at
        for (at += 1; text.charAt(at) !== '"' && at < text.length; at += 1) if (text.charAt(at) === '\\') at += 1
        if (frame === undefined) continue
        if (frame.isArray) valuePath()
        else if (frame.key === null) {
          const key: unknown = JSON.parse(text.slice(start, at + 1))
          frame.key = String(key)
          remember(frame.path + SEPARATOR + frame.key)
        }
      }
    }
  }

  /** The line of the member at `path`, or of its nearest ancestor that is known; 1 for the text itself. */
  of(...path: readonly string[]): number {
    for (let length = path.length; length > 0; length -= 1) {
      const line = this.#lines.get(SEPARATOR + path.slice(0, length).join(SEPARATOR))
      if (line !== undefined) return line
    }
    return 1
  }

  has(...path: readonly string[]): boolean {
    return this.#lines.has(SEPARATOR + path.join(SEPARATOR))
  }
}
