import type { RefOf } from '../../actors/actor-context.ts'
import type { AnyDefinition } from '../../actors/definition.ts'
import type { Message } from '../../core/message.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { NodeDownError } from './errors.ts'
import type { SimulatedNode } from './node.ts'
import type { SimulatedWorld } from './simulated-world.ts'

/** An actor as a client of its node has it. Its promises reject with `NODE_DOWN` when the node goes down meanwhile. */
export type ClientRef<D extends AnyDefinition> = Pick<RefOf<D>, 'tell' | 'ask' | 'offer'>

/** The part of a ref that a client uses, whatever its protocol. */
interface PlainRef {
  readonly path: string
  tell(message: Message, options?: { readonly durable?: boolean; readonly id?: string }): Promise<void> | undefined
  ask(question: Message, options?: object): Promise<unknown>
  offer(message: Message, options?: object): Promise<void>
}

/** `find` looks the actor up in the process that the node is at the time of the call. */
export function clientOf<D extends AnyDefinition>(
  world: SimulatedWorld,
  node: SimulatedNode,
  name: string,
  find: (runtime: Runtime) => RefOf<D> | undefined,
): ClientRef<D> {
  // A ref takes whatever its protocol says; the caller's types see to that.
  const plain: (runtime: Runtime) => PlainRef | undefined = find
  const there = (runtime: Runtime): PlainRef => {
    const ref = plain(runtime)
    if (ref === undefined) throw new NodeDownError(node.name, `${name}, which is not there`)
    return ref
  }
  const tellDurably = async (what: string, message: Message, id: string): Promise<void> => {
    const { zone } = node
    await world.fromZone(node, what, async (runtime) => {
      const ref = there(runtime)
      await ref.tell(message, { durable: true, id })
      // Here and now: until the client hears of it, the disk may be lost.
      if (node.zone === zone) world.acknowledged(node, ref.path, id)
    })
  }
  const client: Omit<PlainRef, 'path'> = {
    tell: (message, options) => {
      const what = `tell ${name} ${message.type}`
      if (options?.durable === true) return tellDurably(what, message, options.id ?? world.nextMessageId())
      // As a message to a machine that is down: nobody learns of it.
      if (node.runtime === undefined) world.trace.add(world.kernel.nowMs, node.name, name, `lost ${message.type}`)
      else
        node.submit((runtime) => {
          void plain(runtime)?.tell(message)
        })
      return undefined
    },
    ask: (question, options) =>
      world.fromZone(node, `ask ${name} ${question.type}`, (runtime) => there(runtime).ask(question, options)),
    offer: (message, options) =>
      world.fromZone(node, `offer ${name} ${message.type}`, (runtime) => there(runtime).offer(message, options)),
  }
  // The same calls, with the types of the definition's protocol.
  return client as unknown as ClientRef<D>
}
