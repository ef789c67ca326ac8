import { createHook, type AsyncHook, type HookCallbacks } from 'node:async_hooks'
import { active } from './active.ts'
import { isConsole } from './where.ts'

/** Kinds of asynchronous work that the world decides about anyway. */
const allowed = new Set(['PROMISE', 'Microtask', 'TickObject', 'FINALIZATIONREGISTRY'])

const names: Readonly<Record<string, string>> = {
  Timeout: 'a real timer',
  Immediate: 'a real setImmediate',
  TCPWRAP: 'a real socket',
  TCPCONNECTWRAP: 'a real connection',
  GETADDRINFOREQWRAP: 'a real name lookup',
  FSREQCALLBACK: 'a real file operation',
  FSREQPROMISE: 'a real file operation',
  WORKER: 'a worker thread',
  PROCESSWRAP: 'a child process',
  RANDOMBYTESREQUEST: 'unseeded random bytes',
}

let hook: AsyncHook | undefined
let ownDepth = 0

/** Runs what the simulation itself does with the real event loop. */
export function unwatched<T>(run: () => T): T {
  ownDepth += 1
  try {
    return run()
  } finally {
    ownDepth -= 1
  }
}

/**
 * Watches for asynchronous work that comes from outside of the world, while code of the world runs: whatever was bound to
 * the real thing before the globals were patched shows here.
 */
export function watchEscapes(): () => void {
  // Following promises would cost more than all else; Node before 24.12 does not know the option and follows them.
  const callbacks: HookCallbacks & { readonly trackPromises: false } = {
    trackPromises: false,
    init: (_id, type) => {
      const { host } = active
      if (ownDepth > 0 || allowed.has(type) || host?.current === undefined) return
      const stack = new Error('here').stack ?? ''
      if (!isConsole(stack)) host.escaped(names[type] ?? `a real ${type}`, stack)
    },
  }
  hook ??= createHook(callbacks)
  hook.enable()
  return () => {
    hook?.disable()
  }
}
