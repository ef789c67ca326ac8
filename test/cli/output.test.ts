import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { streamOutput, type Streams } from '../../src/cli/output.ts'

/** A stream, and what was written to it since it was asked last. */
function sink<Facts extends object>(facts: Facts) {
  let text = ''
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      text += chunk
      done()
    },
  })
  const read = (): string => {
    const was = text
    text = ''
    return was
  }
  return { stream: Object.assign(stream, facts), read }
}

function outputOn(isTTY: boolean, env: Streams['env'] = {}) {
  const [stdout, stderr] = [sink({ isTTY, columns: 60 }), sink({ isTTY })]
  const time = { nowMs: 0 }
  const streams = { stdout: stdout.stream, stderr: stderr.stream, env }
  const out = streamOutput(
    streams,
    () => time.nowMs,
    () => undefined,
  )
  return { out, time, result: stdout.read, said: stderr.read }
}

test.each<[string, boolean, Streams['env'], string]>([
  ['a terminal', true, {}, '\u001b[31mx\u001b[39m'],
  ['a terminal and NO_COLOR that is empty', true, { NO_COLOR: '' }, '\u001b[31mx\u001b[39m'],
  ['a terminal and NO_COLOR', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, 'x'],
  ['a terminal that can do nothing', true, { TERM: 'dumb' }, 'x'],
  ['a pipe', false, { FORCE_COLOR: '1' }, 'x'],
])('given %s, when a text is coloured, then it is %j %j', (_what, isTTY, env, expected) => {
  expect(outputOn(isTTY, env).out.colour('red', 'x')).toBe(expected)
})

test('given a terminal or a pipe, then lines are as wide as the one and without end on the other', () => {
  expect([outputOn(true).out.columns, outputOn(false).out.columns]).toEqual([60, Infinity])
})

test('given a result, when it is written, then it goes out in few pieces and all of it at a flush', async () => {
  const { out, result, said } = outputOn(false)
  await out.write('little')
  expect(result()).toBe('')
  await out.write('x'.repeat(70_000))
  expect(result()).toHaveLength(70_006)
  await out.write('rest')
  await out.flush()
  await out.flush()
  expect([result(), said()]).toEqual(['rest', ''])
})

test('given a slow reader, when more is written than it takes, then writing waits for it', async () => {
  const taken: (() => void)[] = []
  const stdout = new Writable({ write: (_chunk, _encoding, done) => void taken.push(done) })
  const out = streamOutput(
    { stdout, stderr: sink({}).stream, env: {} },
    () => 0,
    () => undefined,
  )
  let isDone = false
  const written = out.write('x'.repeat(70_000)).then(() => (isDone = true))
  await Promise.resolve()
  expect(isDone).toBe(false)
  taken[0]?.()
  expect(await written).toBe(true)
})

test('given a reader that went away, when something is written, then it is told, and the write rejects', async () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  const stdout = new Writable({ write: (_chunk, _encoding, done) => void done(broken) })
  let closed = 0
  const out = streamOutput(
    { stdout, stderr: sink({}).stream, env: {} },
    () => 0,
    () => (closed += 1),
  )
  await expect(out.write('x'.repeat(70_000))).rejects.toMatchObject({ exitCode: 141 })
  expect(closed).toBe(1)
})

test('given a terminal, when something is long, then one line says how far it is, and is gone before anything else is written', () => {
  const { out, time, said } = outputOn(true)
  out.progress('1 of 3')
  out.progress('2 of 3')
  time.nowMs = 100
  out.progress('3 of 3')
  out.note('a note')
  out.progress('')
  expect(said()).toBe('\r\u001b[K1 of 3\r\u001b[K3 of 3\r\u001b[Ka note\n')
})

test('given a pipe, when something is long, then nobody is told how far it is', () => {
  const { out, said } = outputOn(false)
  out.progress('1 of 3')
  out.note('cannot reach postgres://a:s3cret@db')
  expect(said()).toBe('cannot reach postgres://a:***@db\n')
})
