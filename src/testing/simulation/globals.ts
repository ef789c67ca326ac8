/* eslint-disable no-restricted-imports, no-restricted-properties, no-restricted-globals -- these are what it replaces */
import childProcess from 'node:child_process'
import crypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { currentZone } from './active.ts'
import { patch, putInPlace, type Holder } from './patch.ts'
import { bytesFrom, uuidFrom } from './random-bytes.ts'
import { checkStrict, refused, virtual, virtualOf } from './stand-in.ts'
import { patchTimers } from './timers.ts'
import { isLoadOfModule } from './where.ts'
import type { Zone } from './zone.ts'

/**
 * Globals that depend on time, chance or the outside. They are replaced once, when the first world of the process begins,
 * and are what they were except while code of a world runs: then time and chance are the world's, and what would leave the
 * process is refused.
 */

function patchDate(): void {
  patch(globalThis, 'Date', (real) => {
    const patched = virtualDate(real as DateConstructor)
    Object.defineProperty(patched.prototype, 'constructor', { value: patched, writable: true, configurable: true })
    return patched
  })
}

function virtualDate(RealDate: DateConstructor): DateConstructor {
  const wallNow = (): number => {
    const zone = currentZone()
    if (zone === undefined) return RealDate.now()
    checkStrict('Date')
    return zone.wallNow()
  }
  return new Proxy(RealDate, {
    apply: () => new RealDate(wallNow()).toString(),
    construct: (target, args: unknown[], newTarget): object =>
      // Without arguments it is the time.
      Reflect.construct(target, args.length === 0 ? [wallNow()] : args, newTarget) as object,
    get: (target, name, receiver): unknown => (name === 'now' ? wallNow : Reflect.get(target, name, receiver)),
  })
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
  patch(process, 'hrtime', (real) => {
    const { bigint } = real as typeof process.hrtime
    return Object.assign(virtualOf(real, hrtime, 'process.hrtime'), {
      bigint: virtualOf(bigint, (zone) => BigInt(Math.round(zone.now() * 1e6)), 'process.hrtime.bigint'),
    })
  })
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
  // Drivers of databases connect sockets that they made.
  refused(net.Socket.prototype, ['connect'], 'net.Socket')
  refused(net.Server.prototype, ['listen'], 'net.Server')
  refused(http, ['request', 'get', 'createServer'], 'http')
  refused(https, ['request', 'get', 'createServer'], 'https')
  refused(dgram, ['createSocket'], 'dgram')
  refused(dns, functionsOf(dns), 'dns')
  refused(dns.promises, functionsOf(dns.promises), 'dns/promises')
  refused(childProcess, functionsOf(childProcess), 'child_process')
  refused(fs, functionsOf(fs), 'fs', isLoadOfModule)
  refused(fsPromises, functionsOf(fsPromises), 'fs/promises', isLoadOfModule)
}

let isListed = false

/** Puts all in place that is not there: a test may have had its own fakes there since the last world. */
export function installGlobals(): void {
  if (!isListed) {
    patchTimers()
    patchDate()
    patchTime()
    patchChance()
    refuseTheOutside()
  }
  isListed = true
  putInPlace()
}
