/* eslint-disable no-restricted-imports, no-restricted-properties, no-restricted-globals -- these are what it replaces */
import childProcess from 'node:child_process'
import crypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { promisify } from 'node:util'
import { currentZone, active } from './active.ts'
import { EscapedSimulationError } from './errors.ts'
import { bytesFrom, uuidFrom } from './random-bytes.ts'
import { VirtualTimeout } from './virtual-timeout.ts'
import { isUsersCall, placeOf } from './where.ts'
import type { Zone } from './zone.ts'

/**
 * Globals that depend on time, chance or the outside. They are replaced once, when the first world of the process begins,
 * and are what they were except while code of a world runs: then time and chance are the world's, and what would leave the
 * process is refused.
 */

type Fn = (this: unknown, ...args: never[]) => unknown
type Holder = Record<string, unknown>

const portAdvice =
  'make it before the world begins, take it from a port, or let it through with world.external(reason, fn)'

/** Some of them are accessors; a few cannot be replaced, and lead to one that is. */
const put = (table: Holder, name: string, value: unknown): void => {
  if (Object.getOwnPropertyDescriptor(table, name)?.configurable !== false)
    Object.defineProperty(table, name, { value, writable: true, configurable: true, enumerable: true })
}

/** In a strict world code of the user takes time and chance from its context only. */
function checkStrict(what: string): void {
  if (active.host?.isStrict !== true) return
  const stack = new Error('here').stack ?? ''
  if (!isUsersCall(stack)) return
  const error = new EscapedSimulationError(
    what,
    placeOf(stack),
    'a strict world wants the clock and the random of the context',
  )
  active.host.escaped(what, stack)
  throw error
}

/** Puts `inWorld` in place of a function while code of a world runs. */
function virtual(holder: object, name: string, inWorld: (zone: Zone, ...args: never[]) => unknown, label = name): void {
  // Modules and globals are objects of functions.
  const table = holder as Holder
  const real = table[name] as Fn | undefined
  if (real === undefined) return
  const patched = function patched(this: unknown, ...args: never[]): unknown {
    const zone = currentZone()
    if (zone === undefined) return Reflect.apply(real, this, args)
    checkStrict(label)
    return inWorld(zone, ...args)
  }
  put(table, name, Object.assign(patched, real))
}

// The compiler takes it that a function is not called with `new`.
const isNew = (target: unknown): boolean => target !== undefined

/** Refuses a function while code of a world runs. */
function refused(holder: object, names: readonly string[], kind: string): void {
  const table = holder as Holder
  for (const name of names) {
    const real = table[name]
    if (typeof real !== 'function') continue
    const patched = function patched(this: unknown, ...args: never[]): unknown {
      const { host } = active
      if (host?.current === undefined)
        return isNew(new.target) ? Reflect.construct(real, args, new.target) : Reflect.apply(real, this, args)
      const stack = new Error('here').stack ?? ''
      // Loading a module reads files; that is Node's own business.
      if (!isUsersCall(stack)) return Reflect.apply(real, this, args)
      host.escaped(`${kind}.${name}`, stack)
      throw new EscapedSimulationError(`${kind}.${name}`, placeOf(stack), portAdvice)
    }
    Object.setPrototypeOf(patched, real)
    Object.defineProperty(patched, 'prototype', { value: (real as { prototype?: unknown }).prototype, writable: true })
    put(table, name, patched)
  }
}

function patchTimers(holder: object): void {
  virtual(
    holder,
    'setTimeout',
    (zone, fn: Fn, ms: number, ...args: never[]) => new VirtualTimeout(zone, fn, ms, args, false),
  )
  virtual(
    holder,
    'setInterval',
    (zone, fn: Fn, ms: number, ...args: never[]) => new VirtualTimeout(zone, fn, ms, args, true),
  )
  virtual(holder, 'setImmediate', (zone, fn: Fn, ...args: never[]) => new VirtualTimeout(zone, fn, 0, args, false))
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) patchClear(holder as Holder, name)
}

/** A timer of a world is known by its class, whoever clears it. */
function patchClear(holder: Holder, name: string): void {
  const real = holder[name] as (handle: unknown) => void
  put(holder, name, (handle: unknown) => {
    if (handle instanceof VirtualTimeout) handle.close()
    else real(handle)
  })
}

/** `promisify(setTimeout)` is the one of `timers/promises`, whichever that is when it is asked for. */
function patchPromisified(): void {
  for (const name of ['setTimeout', 'setImmediate'] as const)
    for (const holder of [globalThis, timers])
      Object.defineProperty(holder[name], promisify.custom, { get: () => timersPromises[name], configurable: true })
}

function sleep(
  zone: Zone,
  ms: number,
  value: unknown,
  options: { readonly signal?: AbortSignal } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted === true) throw abortError(signal)
    const timeout = new VirtualTimeout(
      zone,
      () => {
        resolve(value)
      },
      ms,
      [],
      false,
    )
    signal?.addEventListener(
      'abort',
      () => {
        timeout.close()
        reject(abortError(signal))
      },
      { once: true },
    )
  })
}

const abortError = (signal: AbortSignal): Error =>
  Object.assign(new Error('The operation was aborted', { cause: signal.reason }), {
    name: 'AbortError',
    code: 'ABORT_ERR',
  })

async function* ticks(
  zone: Zone,
  ms: number,
  value: unknown,
  options?: { readonly signal?: AbortSignal },
): AsyncGenerator {
  for (;;) yield await sleep(zone, ms, value, options)
}

function patchDate(): void {
  const RealDate = Date
  const wallNow = (): number => {
    const zone = currentZone()
    if (zone === undefined) return RealDate.now()
    checkStrict('Date')
    return zone.wallNow()
  }
  const patched = new Proxy(RealDate, {
    apply: () => new RealDate(wallNow()).toString(),
    construct: (target, args: unknown[], newTarget): object =>
      // Without arguments it is the time.
      Reflect.construct(target, args.length === 0 ? [wallNow()] : args, newTarget) as object,
    get: (target, name, receiver): unknown => (name === 'now' ? wallNow : Reflect.get(target, name, receiver)),
  })
  globalThis.Date = patched
}

function patchChance(): void {
  virtual(Math, 'random', (zone) => zone.random.next(), 'Math.random')
  for (const holder of [globalThis.crypto, crypto]) {
    virtual(holder, 'randomUUID', (zone) => uuidFrom(zone.random), 'crypto.randomUUID')
    virtual(
      holder,
      'getRandomValues',
      (zone, into: NodeJS.ArrayBufferView) => fill(zone, into),
      'crypto.getRandomValues',
    )
  }
  virtual(crypto, 'randomFillSync', (zone, into: NodeJS.ArrayBufferView) => fill(zone, into), 'crypto.randomFillSync')
  virtual(
    crypto,
    'randomBytes',
    (zone, size: number, then?: (error: null, bytes: Buffer) => void) => {
      const bytes = bytesFrom(zone.random, size)
      if (then === undefined) return bytes
      zone.soon(() => {
        then(null, bytes)
      })
      return undefined
    },
    'crypto.randomBytes',
  )
  virtual(
    crypto,
    'randomInt',
    (zone, ...args: (number | ((error: null, value: number) => void))[]) => {
      const then = args.find((arg) => typeof arg === 'function')
      const [first = 0, second] = args.filter((arg) => typeof arg === 'number')
      const [low, high] = second === undefined ? [0, first] : [first, second]
      const value = low + Math.floor(zone.random.next() * (high - low))
      if (then === undefined) return value
      zone.soon(() => {
        then(null, value)
      })
      return undefined
    },
    'crypto.randomInt',
  )
}

function fill(zone: Zone, into: NodeJS.ArrayBufferView): NodeJS.ArrayBufferView {
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytesFrom(zone.random, into.byteLength))
  return into
}

function patchTime(): void {
  virtual(performance, 'now', (zone) => zone.now(), 'performance.now')
  const hrtime = (zone: Zone, since?: readonly [number, number]): [number, number] => {
    const ns =
      BigInt(Math.round(zone.now() * 1e6)) -
      (since === undefined ? 0n : BigInt(since[0]) * 1_000_000_000n + BigInt(since[1]))
    return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)]
  }
  virtual(process.hrtime, 'bigint', (zone) => BigInt(Math.round(zone.now() * 1e6)), 'process.hrtime.bigint')
  virtual(process, 'hrtime', hrtime, 'process.hrtime')
  virtual(
    AbortSignal,
    'timeout',
    (zone, ms: number) => {
      const controller = new AbortController()
      zone.setTimeout(() => {
        controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
      }, ms)
      return controller.signal
    },
    'AbortSignal.timeout',
  )
}

const functionsOf = (module: object): readonly string[] =>
  Object.keys(module).filter((name) => typeof (module as Holder)[name] === 'function' && /^[a-z]/.test(name))

function refuseTheOutside(): void {
  refused(globalThis, ['fetch', 'WebSocket', 'EventSource'], 'globalThis')
  refused(net, ['connect', 'createConnection', 'createServer'], 'net')
  refused(http, ['request', 'get', 'createServer'], 'http')
  refused(https, ['request', 'get', 'createServer'], 'https')
  refused(dgram, ['createSocket'], 'dgram')
  refused(dns, functionsOf(dns), 'dns')
  refused(childProcess, functionsOf(childProcess), 'child_process')
  refused(fs, functionsOf(fs), 'fs')
  refused(fsPromises, functionsOf(fsPromises), 'fs/promises')
}

let isInstalled = false

/** Puts the patches in place; once is enough. */
export function installGlobals(): void {
  if (isInstalled) return
  isInstalled = true
  patchTimers(globalThis)
  patchTimers(timers)
  virtual(timersPromises, 'setTimeout', sleep)
  virtual(timersPromises, 'setImmediate', (zone, value: unknown) => sleep(zone, 0, value))
  virtual(timersPromises, 'setInterval', ticks)
  virtual(timersPromises.scheduler, 'wait', (zone, ms: number, options?: { readonly signal?: AbortSignal }) =>
    sleep(zone, ms, undefined, options),
  )
  patchPromisified()
  patchDate()
  patchTime()
  patchChance()
  refuseTheOutside()
  // What was imported by name is the patched one too.
  syncBuiltinESMExports()
}
