/* eslint-disable no-restricted-imports -- these are what it replaces */
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { promisify } from 'node:util'
import { active } from './active.ts'
import { patch } from './patch.ts'
import { virtual, virtualOf, type Fn } from './stand-in.ts'
import { delayOf, timeoutOf, VirtualTimeout } from './virtual-timeout.ts'
import type { Zone } from './zone.ts'

/** Timers of a world in place of those of Node, in all the ways in which they are to be had. */
export function patchTimers(): void {
  for (const holder of [globalThis, timers]) patchTimersOf(holder)
  virtual(timersPromises, 'setTimeout', sleep)
  virtual(timersPromises, 'setImmediate', (zone, value: unknown, options?: SleepOptions) =>
    sleepFor(zone, 0, value, options),
  )
  virtual(timersPromises, 'setInterval', ticks)
  virtual(timersPromises.scheduler, 'wait', (zone, ms: number, options?: SleepOptions) =>
    sleep(zone, ms, undefined, options),
  )
  virtual(timersPromises.scheduler, 'yield', (zone) => sleepFor(zone, 0, undefined))
}

interface SleepOptions {
  readonly signal?: AbortSignal
}

function patchTimersOf(holder: object): void {
  patchPromisified(
    holder,
    'setTimeout',
    (zone, fn: Fn, ms: number, ...args: never[]) => new VirtualTimeout(zone, fn, delayOf(ms), args, false),
  )
  patchPromisified(
    holder,
    'setImmediate',
    (zone, fn: Fn, ...args: never[]) => new VirtualTimeout(zone, fn, 0, args, false),
  )
  virtual(
    holder,
    'setInterval',
    (zone, fn: Fn, ms: number, ...args: never[]) => new VirtualTimeout(zone, fn, delayOf(ms), args, true),
  )
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) patchClear(holder, name)
}

/** `promisify(setTimeout)` is the one of `timers/promises`, whichever that is when it is asked for. */
function patchPromisified(
  holder: object,
  name: 'setTimeout' | 'setImmediate',
  inWorld: (zone: Zone, ...args: never[]) => unknown,
): void {
  patch(holder, name, (real) =>
    Object.defineProperty(virtualOf(real, inWorld, name), promisify.custom, {
      get: () => timersPromises[name],
      configurable: true,
    }),
  )
}

/** A timer of a world is known by its class or its number, whoever clears it. */
function patchClear(holder: object, name: string): void {
  patch(holder, name, (real) => (handle: unknown) => {
    const isNumber = typeof handle === 'number' || typeof handle === 'string'
    const timeout = isNumber ? timeoutOf(active.host?.world.kernel, handle) : handle
    if (timeout instanceof VirtualTimeout) timeout.close()
    // It is the one of Node, or a fake of it.
    else (real as (handle: unknown) => void)(handle)
  })
}

const sleep = (zone: Zone, ms: number, value: unknown, options?: SleepOptions): Promise<unknown> =>
  sleepFor(zone, delayOf(ms), value, options)

function sleepFor(zone: Zone, ms: number, value: unknown, { signal }: SleepOptions = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) throw abortError(signal)
    const onAbort = (): void => {
      timeout.close()
      if (signal !== undefined) reject(abortError(signal))
    }
    const onTime = (): void => {
      signal?.removeEventListener('abort', onAbort)
      resolve(value)
    }
    const timeout = new VirtualTimeout(zone, onTime, ms, [], false)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

const abortError = (signal: AbortSignal): Error =>
  Object.assign(new Error('The operation was aborted', { cause: signal.reason }), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  })

async function* ticks(zone: Zone, ms: number, value: unknown, options?: SleepOptions): AsyncGenerator {
  for (;;) yield await sleep(zone, ms, value, options)
}
