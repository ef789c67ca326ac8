import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineActor, logEvents, message, type LogLevel, type Logger } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { eventChannels } from '../../src/core/events.ts'
import { loadPino } from '../../src/runtime/log.ts'

interface Line {
  readonly level: LogLevel
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A logger that keeps what it is told. */
function memoryLogger(): Logger & { readonly lines: Line[]; of(event: string): Line[] } {
  const lines: Line[] = []
  const at = (level: LogLevel) => (fields: object, text: string) => {
    lines.push({ level, fields: { ...fields }, text })
  }
  return {
    lines,
    of: (event) => lines.filter(({ fields }) => fields['event'] === event),
    ...{ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') },
  }
}

const protocol = {
  keep: message({ secret: z.string() }),
  'keep.crash': message({ text: z.string() }),
  'keep.throw': message(),
}
const keeper = defineActor({
  name: 'keeper',
  protocol,
  mailbox: { capacity: 4 },
  state: () => '',
  on: {
    keep: ({ message: { secret } }) => secret,
    'keep.crash': ({ message: { text } }) => {
      throw Object.assign(new TypeError(text), { code: 'E_KEEP', payload: 'hunter2' })
    },
    'keep.throw': () => {
      throw { secret: 'hunter2' }
    },
  },
})

describe('what is written', () => {
  test('given the life of an actor, then each event is written at its level, and no message is', async () => {
    const test = await createTestRuntime({ node: 'here' })
    const logger = memoryLogger()
    await logEvents(test.runtime, logger)
    const ref = test.runtime.spawn(keeper, { name: 'k' })
    ref.tell({ type: 'keep', secret: 'hunter2' })
    await test.settle()
    ref.tell({ type: 'keep.crash', text: 'bad\nluck\u001b[31m' })
    await test.settle()
    ref.tell({ type: 'keep.throw' })
    ref.tell({ type: 'keep', secret: 42 } as never)
    await test.until(test.runtime.shutdown())
    ref.tell({ type: 'keep', secret: 'hunter2' })

    const steps = logger.lines.map(({ level, text, fields }) => `${level} ${text} ${String(fields['path'])}`)
    expect(steps.slice(0, 5)).toEqual([
      'debug spawned /user/k',
      'debug started /user/k',
      'error failed /user/k',
      'warn dead-letter /user/k',
      'warn stopped /user/k',
    ])
    expect(logger.of('failed')[0]?.fields).toEqual({
      event: 'failed',
      node: 'here',
      path: '/user/k',
      incarnation: 1,
      messageType: 'keep.crash',
      error: { name: 'TypeError', code: 'E_KEEP', message: 'bad luck [31m' },
    })
    expect(logger.of('failed')[1]?.fields['error']).toEqual({ name: 'object' })
    expect(logger.of('restarted')[0]).toMatchObject({
      level: 'warn',
      fields: { supervisor: '/user', kept: 'nothing', exit: 'crash' },
    })
    expect(logger.of('dead-letter').map(({ fields }) => fields['reason'])).toContain('invalid-message')
    expect(logger.of('stopped').at(-1)).toMatchObject({ level: 'debug', fields: { exit: 'shutdown' } })
    expect(logger.of('handled')).toEqual([])
    expect(JSON.stringify(logger.lines)).not.toContain('hunter2')
  })

  test('given types and errors made to mislead, then they are cut and hold no control characters', async () => {
    const test = await createTestRuntime()
    const logger = memoryLogger()
    await logEvents(test.runtime, logger)
    const ref = test.runtime.spawn(keeper)
    ref.tell({ type: `x\r\n{"level":60}\u202e\u2028\u0000${'y'.repeat(5000)}` } as never)
    const { messageType, error } = logger.of('dead-letter')[0]?.fields as {
      messageType: string
      error: { message: string }
    }
    for (const text of [messageType, error.message]) {
      expect(text.length).toBeLessThanOrEqual(1000)
      expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e]/)
    }
    await test.until(test.runtime.shutdown())
  })

  test('given pressure, then it warns, and relief is said as well', async () => {
    const test = await createTestRuntime()
    const logger = memoryLogger()
    await logEvents(test.runtime, logger)
    const ref = test.runtime.spawn(keeper)
    for (let i = 0; i < 3; i += 1) ref.tell({ type: 'keep', secret: '' })
    await test.settle()
    expect(logger.of('mailbox-pressure').map(({ level, fields }) => [level, fields['depth']])).toEqual([
      ['warn', 3],
      ['info', 0],
    ])
    await test.until(test.runtime.shutdown())
  })

  test('given an actor that nobody mends any more, then it is fatal', async () => {
    const test = await createTestRuntime()
    const logger = memoryLogger()
    await logEvents(test.runtime, logger)
    const ref = test.runtime.spawn(keeper)
    for (let i = 0; i < 4; i += 1) {
      ref.tell({ type: 'keep.crash', text: 'again' })
      await test.settle()
    }
    expect(logger.of('escalated')).toMatchObject([
      { level: 'fatal', fields: { to: 'person', exit: 'crash', error: { message: 'again' } } },
    ])
    await test.until(test.runtime.shutdown())
  })
})

describe('dead letters', () => {
  test('given a flood of them, then some are written each second, and how many others there were', async () => {
    const test = await createTestRuntime()
    const logger = memoryLogger()
    await logEvents(test.runtime, logger, { deadLettersPerSecond: 3 })
    const ref = test.runtime.spawn(keeper)
    const flood = (count: number): void => {
      for (let i = 0; i < count; i += 1) ref.tell({ type: 'unknown' } as never)
    }
    const written = (): unknown[] =>
      logger.of('dead-letter').map(({ fields }) => fields['suppressed'] ?? fields['reason'])
    flood(100)
    await test.advance(999)
    expect(written()).toEqual(['unknown-message', 'unknown-message', 'unknown-message'])
    await test.advance(1)
    expect(written().slice(3)).toEqual([97])
    await test.advance(60_000)
    flood(4)
    expect(written().slice(4)).toEqual(['unknown-message', 'unknown-message', 'unknown-message'])
    await test.until(test.runtime.shutdown())
    expect(written().slice(7)).toEqual([1])
    expect(test.clock.pending).toBe(0)
  })
})

describe('what it costs', () => {
  const listening = (): string[] =>
    Object.entries(eventChannels)
      .filter(([, channel]) => channel.hasSubscribers)
      .map(([type]) => type)

  test.each([
    ['silent', []],
    ['fatal', ['escalated', 'journal-failed']],
    ['error', ['failed', 'escalated', 'journal-failed', 'observer-failed']],
    [
      'info',
      [
        'failed',
        'restarted',
        'escalated',
        'recovering',
        'in-doubt',
        'journal-failed',
        'stopped',
        'dead-letter',
        'mailbox-pressure',
        'zombie-effect',
        'observer-failed',
      ],
    ],
    ['trace', Object.keys(eventChannels)],
  ])('given a logger at %s, then only what it writes is listened to', async (level, types) => {
    const test = await createTestRuntime()
    const before = listening()
    const stop = await logEvents(test.runtime, pino({ level }, { write: () => undefined }))
    expect(listening()).toEqual(types)
    stop()
    expect(listening()).toEqual(before)
    await test.until(test.runtime.shutdown())
  })

  test('given a logger that does not say its level, then single messages are not listened to', async () => {
    const test = await createTestRuntime()
    await logEvents(test.runtime, { ...memoryLogger(), trace: () => undefined })
    expect(listening()).not.toContain('handled')
    expect(listening()).toHaveLength(Object.keys(eventChannels).length - 1)
    await test.until(test.runtime.shutdown())
  })

  test('given a logger at trace, then each handled message is written with its time', async () => {
    const test = await createTestRuntime()
    const lines: string[] = []
    await logEvents(
      test.runtime,
      pino({ level: 'trace', base: null, timestamp: false }, { write: (line: string) => lines.push(line) }),
    )
    test.runtime.spawn(keeper, { name: 'k' }).tell({ type: 'keep', secret: 'hunter2' })
    await test.settle()
    expect(lines.filter((line) => line.includes('handled')).map((line): unknown => JSON.parse(line))).toEqual([
      {
        level: 10,
        event: 'handled',
        node: 'local',
        path: '/user/k',
        incarnation: 1,
        messageType: 'keep',
        durationMs: 0,
        msg: 'handled',
      },
    ])
    await test.until(test.runtime.shutdown())
  })

  test('given a logger, then it listens before the promise resolves', async () => {
    const test = await createTestRuntime()
    const logger = memoryLogger()
    const listens = logEvents(test.runtime, logger)
    test.runtime.spawn(keeper)
    await listens
    expect(logger.of('spawned')).toHaveLength(1)
    await test.until(test.runtime.shutdown())
  })

  test('given a logger that throws, then actors and other listeners go on', async () => {
    const test = await createTestRuntime()
    const logger = memoryLogger()
    const broken = (): never => {
      throw new Error('disk full')
    }
    await logEvents(test.runtime, { ...logger, debug: broken, warn: broken, error: broken })
    const ref = test.runtime.spawn(keeper)
    ref.tell({ type: 'keep', secret: 'kept' })
    await test.settle()
    expect(ref.snapshot.context).toBe('kept')
    await test.until(test.runtime.shutdown())
  })
})

describe('pino', () => {
  test('given no logger, then pino is loaded', async () => {
    const logger = await loadPino()
    expect(logger.level).toBe('info')
  })

  test('given that it is not installed, then the error says what to install', async () => {
    const missing = Object.assign(new Error("Cannot find package 'pino'"), { code: 'ERR_MODULE_NOT_FOUND' })
    await expect(loadPino(() => Promise.reject(missing))).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringContaining('npm install pino') as string,
      cause: missing,
    })
  })

  test('given that it is there but fails, then its own error is seen', async () => {
    const broken = new SyntaxError('not this time')
    await expect(loadPino(() => Promise.reject(broken))).rejects.toBe(broken)
  })
})
