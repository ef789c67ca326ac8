import { fileURLToPath } from 'node:url'

/** The folder of this package's source or build. */
const ownFolder = new URL('../../', import.meta.url).href
const ownPath = fileURLToPath(ownFolder)
const simulationPath = fileURLToPath(new URL('./', import.meta.url))

const isOfLibrary = (frame: string): boolean =>
  frame.includes('node:') || frame.includes('/node_modules/') || frame.includes(ownFolder) || frame.includes(ownPath)

/** The frames of a stack, without its message. */
const framesOf = (stack: string): readonly string[] => stack.split('\n').filter((line) => /^\s+at /.test(line))

/** The innermost place of a stack that is neither Node's, nor a library's, nor ours: `file:line:column`. */
export function placeOf(stack: string): string {
  const frame = framesOf(stack).find((line) => !isOfLibrary(line))
  const place =
    frame === undefined ? undefined : (/\(([^()]*)\)\s*$/.exec(frame)?.[1] ?? frame.replace(/^\s+at (async )?/, ''))
  return place ?? 'an unknown place'
}

/** Whether whoever called a patched global is code of the user: the first frame outside of the simulation says so. */
export function isUsersCall(stack: string): boolean {
  const caller = framesOf(stack).find((line) => !line.includes(simulationPath))
  return caller !== undefined && !isOfLibrary(caller)
}

/** Whether the console is at work: what it does to show something is no escape. */
export const isConsole = (stack: string): boolean =>
  stack.includes('node:internal/console') || stack.includes('console.')
