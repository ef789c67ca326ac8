import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { VirtualClock } from 'echelon/testing'
import { chaosProcess, type ChaosProcessOptions } from '../../../src/testing/chaos/process.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'echelon-chaos-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Answers each line that it reads, and says how it is asked to end. */
const echo = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => console.log('echo ' + line))
  process.on('SIGTERM', () => { console.log('asked to end'); process.exit(7) })
  console.log('ready ' + process.argv.slice(2).join(' ') + (process.env.WHO ?? ''))
`
const stubborn = `process.on('SIGTERM', () => console.log('no')); setInterval(() => {}, 1000); console.log('ready')`

const node = (script: string, options: ChaosProcessOptions = {}) =>
  chaosProcess(process.execPath, ['-e', script], { ready: 'ready', ...options })

function module(name: string, text: string): string {
  const file = path.join(folder, name)
  writeFileSync(file, text)
  return file
}

/** What is in a file, or nothing. */
const readIfThere = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')

/** Whether a process of this number exists, also one that has ended and was not yet seen to. */
function exists(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('starting', () => {
  test('given a module, when it is started, then Node runs it with its arguments and environment', async () => {
    const file = module('echo.cjs', echo)
    await using child = await chaosProcess(file, ['a', 'b'], { ready: /^ready/, env: { WHO: '!' } })
    expect(child.output).toEqual([{ from: 'stdout', start: 1, text: 'ready a b!' }])
    expect([child.state, child.starts, exists(child.pid)]).toEqual(['running', 1, true])
    await using other = await chaosProcess(pathToFileURL(file), ['c'], { ready: 'ready c' })
    expect(other.pid).not.toBe(child.pid)
  })

  test('given a command that is not there, when it is started, then it fails', async () => {
    await expect(chaosProcess('echelon-no-such-command')).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('ENOENT') as string,
    })
  })

  test('given a program that ends before it is ready, when it is started, then it fails with what it wrote', async () => {
    await expect(node(`console.error('no port'); process.exitCode = 3`)).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringMatching(/ended with code 3 .*ready; it wrote:\nno port/) as string,
    })
  })

  test('given a program that is never ready, when its time is up, then it is killed and fails', async () => {
    const clock = new VirtualClock()
    const pidFile = path.join(folder, 'never-ready')
    const script = `require('node:fs').writeFileSync(process.argv[1], String(process.pid)); setInterval(() => {}, 1000)`
    const starting = chaosProcess(process.execPath, ['-e', script, pidFile], { ready: 'ready', clock })
    while (readIfThere(pidFile) === '') await new Promise<void>((resolve) => setImmediate(resolve))
    clock.advanceBy(10_000)
    await expect(starting).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('after 10000 ms') as string,
    })
    expect(exists(Number(readIfThere(pidFile)))).toBe(false)
  })

  test('given bounds that are none, when it is started, then it is refused', async () => {
    await expect(node(echo, { maxLines: 0 })).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
    await expect(node(echo, { readyWithinMs: NaN })).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
  })
})

describe('ending', () => {
  test('given a process, when it is killed, then nothing in it gets to clean up', async () => {
    await using child = await node(echo)
    const { pid } = child
    expect(await child.kill()).toEqual({ code: null, signal: 'SIGKILL' })
    expect([child.state, child.pid, exists(pid)]).toEqual(['ended', undefined, false])
    expect(child.output.map(({ text }) => text)).not.toContain('asked to end')
  })

  test('given a process, when it is asked to end, then it ends as it likes, and what it wrote last is there', async () => {
    await using child = await node(echo)
    expect(await child.terminate()).toEqual({ code: 7, signal: null })
    expect(child.output.at(-1)?.text).toBe('asked to end')
  })

  test('given a process that does not listen, when its time is up, then it is killed', async () => {
    const clock = new VirtualClock()
    await using child = await node(stubborn, { clock })
    const ended = child.terminate({ withinMs: 100 })
    await child.line('no')
    clock.advanceBy(100)
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('given a process that has ended, when it is signalled, then nobody is', async () => {
    await using child = await node(echo)
    const end = await child.kill()
    expect([child.pause(), child.resume()]).toEqual([false, false])
    expect(await child.kill()).toEqual(end)
    expect(await child.terminate()).toEqual(end)
    child.write('is anybody there?\n')
    await expect(child.line('echo')).rejects.toThrow('had ended')
  })

  test('given a scope, when it is left, then the process is gone', async () => {
    let pid: number | undefined
    {
      await using child = await node(stubborn)
      pid = child.pid
      expect(exists(pid)).toBe(true)
    }
    expect(exists(pid)).toBe(false)
  })

  test('given a process that exits, when it has started another one so, then that one is gone too', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    // A server that listens on TCP has an address with a port.
    const { port } = server.address() as AddressInfo
    const library = new URL('../../../src/testing/chaos/process.ts', import.meta.url).href
    const connected = `require('node:net').connect(${port}, '127.0.0.1', () => console.log('ready'))`
    const parent = module(
      'parent.mjs',
      `import { chaosProcess } from ${JSON.stringify(library)}
       await chaosProcess(process.execPath, ['-e', ${JSON.stringify(connected)}], { ready: 'ready' })
       process.stdin.once('data', () => process.exit())
       console.log('started')`,
    )
    await using child = await chaosProcess(parent)
    const [socket] = (await once(server, 'connection')) as [Socket]
    socket.on('error', () => undefined).resume()
    await child.line('started')
    const closed = once(socket, 'close')
    child.write('end\n')
    await closed
    server.close()
    expect(await child.ended).toEqual({ code: 0, signal: null })
  })
})

describe('pausing and restarting', () => {
  test('given a paused process, when it is spoken to, then it answers only when it is resumed', async () => {
    await using child = await node(echo)
    expect([child.pause(), child.state]).toEqual([true, 'paused'])
    child.write('hello\n')
    const answer = child.line('echo hello')
    // Another process lives a whole life meanwhile.
    await using other = await node(echo)
    await other.kill()
    expect(child.output).toHaveLength(1)
    expect([child.resume(), child.state]).toEqual([true, 'running'])
    expect(await answer).toBe('echo hello')
  })

  test('given a paused process, when it is asked to end or killed, then it does', async () => {
    await using asked = await node(echo)
    asked.pause()
    expect(await asked.terminate()).toEqual({ code: 7, signal: null })
    await using killed = await node(echo)
    killed.pause()
    expect(await killed.kill()).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('given a process, when it is restarted, then another runs, is ready, and the output of both is kept', async () => {
    await using child = await node(echo)
    const { pid, ended } = child
    await child.restart()
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' })
    expect([exists(pid), child.starts, child.state]).toEqual([false, 2, 'running'])
    expect(child.output.map(({ start, text }) => [start, text.trim()])).toEqual([
      [1, 'ready'],
      [2, 'ready'],
    ])
  })

  test('given restarts at the same time, when the last is done, then one process runs', async () => {
    await using child = await node(echo)
    const pids: (number | undefined)[] = []
    const restart = async (): Promise<void> => {
      await child.restart()
      pids.push(child.pid)
    }
    await Promise.all([restart(), restart(), restart()])
    expect(child.starts).toBe(4)
    expect(pids.filter((pid) => exists(pid))).toEqual([child.pid])
  })

  test('given a restart under way, when it is disposed of, then nothing runs and it cannot be started again', async () => {
    const child = await node(echo)
    const restarting = child.restart()
    const disposed = child[Symbol.asyncDispose]()
    await Promise.allSettled([restarting, disposed])
    expect(child.state).toBe('ended')
    await expect(child.restart()).rejects.toMatchObject({ code: 'START_FAILED' })
  })
})

describe('output', () => {
  test('given more lines than are kept, when they are read, then the last are there and the others counted', async () => {
    await using child = await chaosProcess(
      process.execPath,
      ['-e', `for (let i = 0; i < 50; i += 1) console.log('line ' + i); process.stdout.write('no line')`],
      { maxLines: 10 },
    )
    await child.ended
    expect(child.output.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, i) => `line ${40 + i}`))
    expect(child.droppedLines).toBe(40)
  })

  test('given a line without end, when it is read, then it is kept in pieces', async () => {
    await using child = await chaosProcess(process.execPath, ['-e', `process.stdout.write('x'.repeat(40000))`])
    await child.ended
    expect(child.output.map(({ text }) => text.length)).toEqual([16_384, 16_384])
  })
})
