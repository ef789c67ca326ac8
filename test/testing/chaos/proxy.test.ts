import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from 'echelon'
import { chaosProxy, type ChaosProxy } from '../../../src/testing/chaos/proxy.ts'
import { reset } from '../../../src/testing/chaos/reset.ts'

/** One end of a connection: what it has read, and how it ended. */
class Peer {
  readonly socket: Socket
  text = ''
  reads = 0
  readonly closed: Promise<string>
  readonly #waiting: { length: number; resolve: () => void }[] = []

  constructor(socket: Socket) {
    this.socket = socket
    let ending = 'closed'
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.text += text
      this.reads += 1
      for (const { length, resolve } of this.#waiting) if (this.text.length >= length) resolve()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      ending = error.code ?? error.message
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve(ending)
      })
    })
  }

  async read(length: number): Promise<string> {
    if (this.text.length < length) await new Promise<void>((resolve) => this.#waiting.push({ length, resolve }))
    return this.text
  }
}

let server: Server
let proxy: ChaosProxy
/** The server's ends, in the order in which connections came. */
let served: Peer[] = []
let clients: Peer[] = []

beforeEach(async () => {
  served = []
  clients = []
  server = createServer((socket) => served.push(new Peer(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on TCP has an address with a port.
  proxy = await chaosProxy({ target: (server.address() as AddressInfo).port, seed: 1 })
})

afterEach(async () => {
  for (const { socket } of [...clients, ...served]) socket.destroy()
  await proxy[Symbol.asyncDispose]()
  server.close()
})

function dial(port = proxy.port, host = '127.0.0.1'): Peer {
  const client = new Peer(connect({ port, host, noDelay: true }))
  clients.push(client)
  return client
}

/** A client and the server's end of its connection, after one byte each way. */
async function connected(): Promise<readonly [client: Peer, target: Peer]> {
  const client = dial()
  const [socket] = (await once(server, 'connection')) as [Socket]
  const target = served.find((peer) => peer.socket === socket)!
  client.socket.write('>')
  await target.read(1)
  target.socket.write('<')
  await client.read(1)
  return [client, target]
}

describe('without faults', () => {
  test('given a connection, when both sides write and end, then all arrives, is counted, and the connection ends', async () => {
    const [client, target] = await connected()
    client.socket.write('question')
    expect(await target.read(9)).toBe('>question')
    target.socket.write('answer')
    expect(await client.read(7)).toBe('<answer')
    client.socket.end()
    expect(await Promise.all([client.closed, target.closed])).toEqual(['closed', 'closed'])
    expect(proxy.stats).toEqual({ accepted: 1, open: 0, cut: 0, unreachable: 0, bytes: { toTarget: 9, toClient: 7 } })
  })

  test('given more than buffers hold, when it is sent through, then every byte arrives in order', async () => {
    const [client, target] = await connected()
    const sent = Array.from({ length: 400_000 }, (_, i) => String(i).padStart(7, '0')).join('')
    client.socket.write(sent)
    expect((await target.read(1 + sent.length)) === `>${sent}`).toBe(true)
  })

  test('given a target that does not read, when much is sent, then the sender has to wait, and all arrives once it reads', async () => {
    const [client, target] = await connected()
    target.socket.pause()
    const sent = 'x'.repeat(15_000_000)
    client.socket.write(sent)
    // Until nothing moves any more: what is on its way is bounded.
    for (let before = -1, quiet = 0; quiet < 100; quiet += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (proxy.stats.bytes.toTarget !== before) quiet = 0
      before = proxy.stats.bytes.toTarget
    }
    expect(client.socket.writableLength).toBeGreaterThan(0)
    target.socket.resume()
    expect(await target.read(1 + sent.length)).toHaveLength(1 + sent.length)
  })

  test('given a target that is not there, when a client connects, then it is reset', async () => {
    server.close()
    const client = dial()
    expect(await client.closed).toBe('ECONNRESET')
    expect(proxy.stats.unreachable).toBe(1)
  })

  test('given the proxy, when it is reached by another address of this machine, then nobody listens', async () => {
    expect(await dial(proxy.port, '127.0.0.2').closed).not.toBe('closed')
    expect(proxy.stats.accepted).toBe(0)
  })

  test('given open connections, when the proxy is disposed of, then both sides are closed and nobody listens', async () => {
    const [client, target] = await connected()
    await proxy[Symbol.asyncDispose]()
    await Promise.all([client.closed, target.closed])
    expect(await dial().closed).toBe('ECONNREFUSED')
    expect(proxy.stats.open).toBe(0)
  })
})

describe('time and size', () => {
  test('given latency in both directions, when a question is answered, then it takes twice of that', async () => {
    const [client, target] = await connected()
    proxy.latency(30)
    const startMs = systemClock.now()
    client.socket.write('q')
    await target.read(2)
    target.socket.write('a')
    await client.read(2)
    // Timers of Node come up to a millisecond early.
    expect(systemClock.now() - startMs).toBeGreaterThan(57)
  })

  test('given a slow link in one direction, when much is sent, then it takes as long as the link says', async () => {
    const [client, target] = await connected()
    proxy.bandwidth(50_000, { direction: 'toTarget' })
    const startMs = systemClock.now()
    client.socket.write('x'.repeat(5000))
    await target.read(5001)
    expect(systemClock.now() - startMs).toBeGreaterThan(80)
  })

  test('given small chunks, when a text is sent in one go, then it arrives in pieces and whole', async () => {
    const [client, target] = await connected()
    proxy.chunks(5)
    const sent = 'abcdefghij'.repeat(10)
    client.socket.write(sent)
    expect(await target.read(1 + sent.length)).toBe(`>${sent}`)
    expect(target.reads).toBeGreaterThan(5)
  })
})

describe('cuts', () => {
  test('given a connection whose end is on its way out, when it is reset, then it is closed all the same', async () => {
    const [client] = await connected()
    client.socket.end()
    reset(client.socket)
    expect(await client.closed).toBe('closed')
    reset(client.socket)
  })

  test('given a connection with much on its way, when it is cut, then it does not wait for that', async () => {
    const [client, target] = await connected()
    target.socket.pause()
    client.socket.end('x'.repeat(15_000_000))
    for (let quiet = 0; quiet < 20; quiet += 1) await new Promise<void>((resolve) => setImmediate(resolve))
    proxy.cut()
    target.socket.resume()
    expect(await Promise.all([client.closed, target.closed])).toEqual(['ECONNRESET', 'ECONNRESET'])
  })

  test('given open connections, when they are cut, then both sides are reset, and new ones are made', async () => {
    const [client, target] = await connected()
    expect(proxy.cut()).toBe(1)
    expect(await Promise.all([client.closed, target.closed])).toEqual(['ECONNRESET', 'ECONNRESET'])
    const [again] = await connected()
    expect(again.text).toBe('<')
    expect(proxy.stats).toMatchObject({ cut: 1, accepted: 2 })
  })

  test.each([1, 2, 7, 8])(
    'given a cut after %d bytes, when 8 are sent, then so many arrive before the reset',
    async (bytes) => {
      const [client, target] = await connected()
      proxy.cutAfter(bytes)
      client.socket.write('12345678')
      expect(await Promise.all([client.closed, target.closed])).toEqual(['ECONNRESET', 'ECONNRESET'])
      expect(target.text).toBe(`>${'12345678'.slice(0, bytes)}`)
      expect(proxy.stats.cut).toBe(1)
    },
  )

  test('given a cut of what comes back, when the client sends, then only an answer sets it off, and once', async () => {
    const [client, target] = await connected()
    proxy.cutAfter(3, 'toClient')
    client.socket.write('question')
    await target.read(9)
    target.socket.write('answer')
    expect(await client.closed).toBe('ECONNRESET')
    expect(client.text).toBe('<ans')
    const [, next] = await connected()
    expect(next.text).toBe('>')
  })
})

describe('silence', () => {
  test('given a stall towards the target, when both write, then only one is heard, until it flows again', async () => {
    const [client, target] = await connected()
    proxy.stall('toTarget')
    client.socket.write('lost?')
    target.socket.write('still here')
    expect(await client.read(11)).toBe('<still here')
    expect(proxy.stats.bytes.toTarget).toBe(1)
    proxy.flow()
    expect(await target.read(6)).toBe('>lost?')
  })

  test('given a stall towards the target, when the client is gone, then the target is told only when it flows', async () => {
    const [client, target] = await connected()
    proxy.stall('toTarget')
    client.socket.end()
    target.socket.write('are you there')
    await client.read(14)
    expect(target.socket.readableEnded).toBe(false)
    proxy.flow()
    expect(await target.closed).toBe('closed')
  })

  test('given a partition, when clients write and connect, then nothing passes until it heals, and then all does', async () => {
    const [client, target] = await connected()
    proxy.partition()
    client.socket.write('during')
    const late = dial()
    late.socket.write('late')
    await once(late.socket, 'connect')
    expect([proxy.stats.bytes.toTarget, served.length]).toEqual([1, 1])
    const arrives = once(server, 'connection')
    proxy.heal()
    expect(await target.read(7)).toBe('>during')
    await arrives
    expect(await served[1]!.read(4)).toBe('late')
  })

  test('given a client that waits in a partition, when it is cut, then it is reset and never reaches the target', async () => {
    proxy.partition()
    const client = dial()
    await once(client.socket, 'connect')
    // The system makes the connection before the proxy knows of it.
    while (proxy.stats.open === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    expect(proxy.cut()).toBe(1)
    expect(await client.closed).toBe('ECONNRESET')
    proxy.heal()
    expect(proxy.stats).toMatchObject({ open: 0, cut: 1 })
    expect(served).toEqual([])
  })
})

describe('who is let in', () => {
  test('given a proxy that refuses, when clients come, then they are refused, open ones stay, and later it accepts again', async () => {
    const [client, target] = await connected()
    await proxy.refuse()
    expect(await dial().closed).toBe('ECONNREFUSED')
    client.socket.write('still')
    expect(await target.read(6)).toBe('>still')
    await proxy.accept()
    const [again] = await connected()
    expect(again.text).toBe('<')
  })

  test('given all faults, when it is calm again, then connections are as before', async () => {
    const [client, target] = await connected()
    proxy.latency(3_600_000, { jitterMs: 5 })
    proxy.bandwidth(1)
    proxy.chunks(1)
    proxy.stall('toClient')
    proxy.partition()
    proxy.cutAfter(1)
    await proxy.refuse()
    await proxy.calm()
    client.socket.write('q')
    expect(await target.read(2)).toBe('>q')
    target.socket.write('a')
    expect(await client.read(2)).toBe('<a')
    await connected()
  })

  test('given as many connections as may be, when another comes, then it is reset', async () => {
    // A server that listens on TCP has an address with a port.
    await using narrow = await chaosProxy({ target: (server.address() as AddressInfo).port, maxConnections: 1 })
    dial(narrow.port)
    await once(server, 'connection')
    expect(await dial(narrow.port).closed).toBe('ECONNRESET')
  })

  test.each<[string, (proxy: ChaosProxy) => void]>([
    [
      'a latency below 0',
      (it) => {
        it.latency(-1)
      },
    ],
    [
      'an infinite latency',
      (it) => {
        it.latency(Infinity)
      },
    ],
    [
      'no bandwidth',
      (it) => {
        it.bandwidth(0)
      },
    ],
    [
      'half a byte',
      (it) => {
        it.chunks(0.5)
      },
    ],
    [
      'a cut after nothing',
      (it) => {
        it.cutAfter(0)
      },
    ],
  ])('given %s, when it is asked for, then it is refused', (_what, ask) => {
    expect(() => {
      ask(proxy)
    }).toThrow(expect.objectContaining({ code: 'DEFINITION_INVALID' }))
  })

  test('given a port that is none, when a proxy is asked for, then it is refused', async () => {
    await expect(chaosProxy({ target: 0 })).rejects.toMatchObject({ code: 'DEFINITION_INVALID' })
  })
})
