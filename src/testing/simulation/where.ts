import { fileURLToPath } from 'node:url'

/** The folder of this package's source or build. */
const ownFolder = new URL('../../', import.meta.url).href
const ownPath = fileURLToPath(ownFolder)
const simulationPath = fileURLToPath(new URL('./', import.meta.url))

const isOfLibrary = (frame: string): boolean =>
  frame.includes('node:') || frame.includes('/node_modules/') || frame.includes(ownFolder) || frame.includes(ownPath)

/** The frames of a stack, without its message. */
const framesOf = (stack: string): readonly string[] => stack.split('\n').filter((line) => /^\s+at /.test(line))

/** Frames of a stack that is looked at: what was called last, and what led there. */
const shownFrames = 50
let isLooking = false

/** Whether a stack is taken just now: tools that show the source in it read files for that. */
export const isLookingAtStack = (): boolean => isLooking

/** The stack here, however many frames those of errors have. */
export function stackHere(): string {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = shownFrames
  isLooking = true
  try {
    return new Error('here').stack ?? ''
  } finally {
    isLooking = false
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** What loads modules, or shows the source of one in a stack. */
const loaders =
  /^\s+at (?!async ).*(node:internal\/(modules|source_map)\/|prepareStackTrace|\/node_modules\/(@vitest|vitest|vite|vite-node|tsx|source-map-support)\/)/

/** Whether a file is read since a module is loaded: that is no business of the code that runs. */
export const isLoadOfModule = (stack: string): boolean => framesOf(stack).some((frame) => loaders.test(frame))

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
