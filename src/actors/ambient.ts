import { AsyncLocalStorage } from 'node:async_hooks'
import type { MessageContext } from './context.ts'

/**
 * Whose code is running: how a plain `ref.ask` knows its call chain and remaining time, and how an effect of a fenced
 * incarnation is recognised.
 *
 * During a turn it is a field, which costs nothing. What an async handler does after its first `await` is found
 * through AsyncLocalStorage, which costs 200 ns a message and is entered for async handlers only.
 */
export const ambient: { context: MessageContext | undefined } = { context: undefined }

const storage = new AsyncLocalStorage<MessageContext>()

/** The message whose handler is running here, synchronously or after an `await`. */
export const currentContext = (): MessageContext | undefined => ambient.context ?? storage.getStore()

/** Runs code that no handler is at: a start, an end, a listener. It has nobody's call chain and is fenced by nobody's end. */
export function outside<T>(run: () => T): T {
  const saved = ambient.context
  ambient.context = undefined
  try {
    return storage.getStore() === undefined ? run() : storage.exit(run)
  } finally {
    ambient.context = saved
  }
}

/** Runs an async handler so that `currentContext` keeps finding `context` after each `await`. */
export const runAsync = <T>(context: MessageContext, run: () => T): T => storage.run(context, run)
