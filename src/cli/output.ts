import { styleText } from 'node:util'
import { hideSecrets } from './format.ts'
import { EndedError, exitCodes, type Output } from './host.ts'

/** Characters that are gathered before they are let out. */
const gathered = 64 * 1024
/** Milliseconds between two looks at how far it is. */
const progressMs = 100

/** Two streams and what is known about them. Fits `process`. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** `onClosed`: nobody reads the result any more. */
export function streamOutput({ stdout, stderr, env }: Streams, now: () => number, onClosed: () => void): Output {
  const isColoured = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  let text = ''
  let shownAtMs = -Infinity
  let isShown = false
  stdout.on('error', onClosed)
  // Nobody is left to be told.
  stderr.on('error', () => undefined)

  const flush = async (): Promise<void> => {
    if (text === '') return
    const chunk = text
    text = ''
    await new Promise<void>((resolve, reject) => {
      stdout.write(chunk, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(new EndedError(exitCodes.outputClosed))
      })
    })
  }
  const clear = (): void => {
    if (isShown) stderr.write('\r\u001b[K')
    isShown = false
  }
  return {
    columns: stdout.isTTY === true ? (stdout.columns ?? 80) : Infinity,
    colour: (colour, part) => (isColoured ? styleText(colour, part, { validateStream: false }) : part),
    flush,
    write: async (part) => {
      clear()
      text += part
      if (text.length >= gathered) await flush()
    },
    note: (line) => {
      clear()
      stderr.write(`${hideSecrets(line)}\n`)
    },
    progress: (line) => {
      if (stderr.isTTY !== true) return
      if (line === '') clear()
      else if (now() - shownAtMs >= progressMs) {
        shownAtMs = now()
        isShown = true
        stderr.write(`\r\u001b[K${line}`)
      }
    },
  }
}
