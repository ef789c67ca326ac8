import { createHook, type AsyncHook, type HookCallbacks } from 'node:async_hooks'
import { active } from './active.ts'
import { isConsole, isLookingAtStack, stackHere } from './where.ts'

/**
 * Kinds of asynchronous work that Node itself does outside of the event loop of a world, as `async_hooks` names them. All
 * other kinds are made by libraries for bookkeeping, and happen in the step that has them happen.
 */
const real: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'a real timer': ['Timeout'],
    'a real setImmediate': ['Immediate'],
    'a real socket': ['TCPWRAP', 'TCPSERVERWRAP', 'TLSWRAP', 'UDPWRAP', 'JSUDPWRAP', 'JSSTREAM', 'QUIC_ENDPOINT'],
    'a real pipe': ['PIPEWRAP', 'PIPESERVERWRAP'],
    'a real connection': ['TCPCONNECTWRAP', 'PIPECONNECTWRAP', 'HTTP2SESSION', 'QUIC_SESSION'],
    'a real request': ['HTTPCLIENTREQUEST', 'HTTP2STREAM', 'HTTP2PING', 'HTTP2SETTINGS'],
    'something that is sent for real': ['WRITEWRAP', 'UDPSENDWRAP', 'SHUTDOWNWRAP'],
    'a real name lookup': ['GETADDRINFOREQWRAP', 'GETNAMEINFOREQWRAP', 'QUERYWRAP', 'DNSCHANNEL'],
    'a real file operation': ['FSREQCALLBACK', 'FSREQPROMISE', 'FILEHANDLE', 'FILEHANDLECLOSEREQ', 'DIRHANDLE'],
    'a real watch on a file': ['FSEVENTWRAP', 'STATWATCHER'],
    'a child process': ['PROCESSWRAP'],
    'a signal of the process': ['SIGNALWRAP'],
    'a worker thread': ['WORKER'],
    'a real message port': ['MESSAGEPORT'],
    'a real lock': ['LOCKS'],
    'a real terminal': ['TTYWRAP'],
    'a Blob, which is read for real': ['BLOBREADER'],
    'a real compression of the thread pool': ['ZLIB'],
    'a real hash of the thread pool': ['HASHREQUEST', 'PBKDF2REQUEST', 'SCRYPTREQUEST', 'ARGON2REQUEST'],
    'real cryptography of the thread pool': [
      ...['CHECKPRIMEREQUEST', 'CIPHERREQUEST', 'DERIVEBITSREQUEST', 'KEYEXPORTREQUEST', 'KEYGENREQUEST'],
      ...['KEYPAIRGENREQUEST', 'RANDOMPRIMEREQUEST', 'SIGNREQUEST', 'VERIFYREQUEST'],
    ],
    'unseeded random bytes': ['RANDOMBYTESREQUEST'],
  }).flatMap(([what, kinds]) => kinds.map((kind) => [kind, what] as const)),
)

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
      const what = real.get(type)
      if (what === undefined || ownDepth > 0 || isLookingAtStack() || host?.current === undefined) return
      const stack = stackHere()
      if (!isConsole(stack)) host.escaped(what, stack)
    },
  }
  hook ??= createHook(callbacks)
  hook.enable()
  return () => {
    hook?.disable()
  }
}
