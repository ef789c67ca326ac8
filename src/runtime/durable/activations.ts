import type { Cell } from '../../actors/cell.ts'
import type { AnyDefinition } from '../../actors/definition.ts'
import { JournalMissingError, NotDurableError } from '../../actors/durable/errors.ts'
import { DefinitionInvalidError, RuntimeClosedError, StartFailedError } from '../../core/errors.ts'
import type { Clock } from '../../core/clock.ts'
import { actorPath, isSegment } from '../../core/ids.ts'
import type { Message } from '../../core/message.ts'
import { child, type ChildSpec } from '../../supervisors/child-spec.ts'
import { spawnChild } from '../../supervisors/dynamic-supervisor.ts'
import { supervisionIn } from '../../supervisors/supervisor-host.ts'
import { guardian, spawnedIntensity } from '../guardian.ts'
import type { NodeKernel } from '../node-kernel.ts'
import { DurableRef } from './durable-ref.ts'

/** The name of the supervisor of all durable actors that `get` starts. */
export const durableRoot = 'durable'

/** How often the end of an actor is waited for by its supervisor's turns before its place counts as taken. */
const mostWaits = 100

interface Kind {
  readonly definition: AnyDefinition
  /** The terms of each of its actors. */
  readonly spec: ChildSpec
  /** The supervisor of all of them. */
  readonly guardian: AnyDefinition
}

/**
 * Durable actors by key. `/durable/order/order-17` is started when somebody has something for it, and until then costs
 * nothing. While one is on its way out, what comes for it waits, in its order, for the next.
 */
export class Activations {
  readonly #kernel: NodeKernel
  readonly #top: () => Cell | undefined
  readonly #isClosing: () => boolean
  readonly #kinds = new Map<string, Kind>()
  readonly #waiting = new Map<string, Set<() => void>>()

  /** `top`: the cell of `/durable`. */
  constructor(kernel: NodeKernel, top: () => Cell | undefined, isClosing: () => boolean) {
    this.#kernel = kernel
    this.#top = top
    this.#isClosing = isClosing
  }

  /** @throws {NotDurableError} `NOT_DURABLE`, {DefinitionInvalidError} `DEFINITION_INVALID` when another one has its name. */
  register(definition: AnyDefinition): void {
    const known = this.#kinds.get(definition.name)
    if (known?.definition === definition) return
    if (definition.durable === undefined) throw new NotDurableError(`'${definition.name}'`, 'be found by a key')
    if (known !== undefined)
      throw new DefinitionInvalidError(
        `durable '${definition.name}'`,
        'the name is taken by another definition: what is in the journal could be of either',
      )
    const spec = { ...child(definition, { restart: 'transient', intensity: spawnedIntensity }), isPassive: true }
    this.#kinds.set(definition.name, { definition, spec, guardian: guardian(definition.name) })
    this.#kernel.durability?.definitionAdded()
  }

  /** @throws {JournalMissingError} `JOURNAL_MISSING`, {NotDurableError} `NOT_DURABLE`, {DefinitionInvalidError} `DEFINITION_INVALID`. */
  get(definition: AnyDefinition, key: string, input: unknown): DurableRef {
    if (this.#kernel.durability === undefined) throw new JournalMissingError(`'${definition.name}'`)
    this.register(definition)
    if (!isSegment(key))
      throw new DefinitionInvalidError(
        `get('${definition.name}', '${key}')`,
        'a key is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -',
      )
    return this.#refTo(definition, key, input)
  }

  #refTo(definition: AnyDefinition, key: string, input: unknown): DurableRef {
    return new DurableRef(this, definition, actorPath(`/${durableRoot}/${definition.name}/${key}`), key, input)
  }

  /** The incarnation that is in memory. */
  find({ name }: AnyDefinition, key: string): Cell | undefined {
    return this.#top()?.children?.get(name)?.children?.get(key)
  }

  /**
   * Runs `use` with the actor, at once when it is there or can be started; after its end when it is on its way out. Then
   * the result takes that back.
   */
  use(ref: DurableRef, use: (cell: Cell) => void, fail: (error: unknown) => void): (() => void) | undefined {
    const { path } = ref
    const deliver = (): void => {
      let cell: Cell
      try {
        cell = this.#start(ref)
      } catch (error) {
        fail(error)
        return
      }
      use(cell)
    }
    let waiting = this.#waiting.get(path)
    if (waiting === undefined) {
      const cell = this.find(ref.definition, ref.key)
      if (cell === undefined || this.#takes(cell)) {
        deliver()
        return undefined
      }
      this.#waiting.set(path, (waiting = new Set()))
      void this.#afterEnd(ref, cell)
    }
    const inLine = waiting
    inLine.add(deliver)
    return () => {
      inLine.delete(deliver)
    }
  }

  /** The address of a stream. Undefined when nobody knows its definition. */
  at(stream: string): DurableRef | undefined {
    const [, root, name = '', key = ''] = stream.split('/')
    const kind = root === durableRoot ? this.#kinds.get(name) : undefined
    return kind && this.#refTo(kind.definition, key, undefined)
  }

  /** Starts the actor of a stream, for the waker. Undefined when nobody knows its definition. */
  activate(stream: string): Promise<void> | undefined {
    const ref = this.at(stream)
    if (ref === undefined) return undefined
    return new Promise((resolve, reject) => {
      this.use(
        ref,
        (cell) => {
          resolve(cell.record?.ready)
        },
        reject,
      )
    })
  }

  defer(task: () => void): void {
    this.#kernel.defer(task)
  }

  get clock(): Clock {
    return this.#kernel.clock
  }

  /** A message whose receiver could not be started. */
  lose({ path }: DurableRef, message: Message, error: unknown): void {
    const { deadLetters, clock } = this.#kernel
    deadLetters.add({ to: path, message, reason: 'stopped', error, atMs: clock.wallNow() }, () => undefined)
  }

  // One that was told to stop takes nothing more, though it may still be at its last message.
  #takes({ status, aborted }: Cell): boolean {
    return (status === 'running' || status === 'starting') && !aborted
  }

  async #afterEnd(ref: DurableRef, first: Cell): Promise<void> {
    let cell: Cell | undefined = first
    for (let waits = 0; cell !== undefined && !this.#takes(cell) && waits < mostWaits; waits += 1) {
      await cell.ended
      // Its supervisor takes up the end in a turn of its own.
      await new Promise<void>((resolve) => {
        this.#kernel.later(resolve)
      })
      cell = this.find(ref.definition, ref.key)
    }
    const waiting = this.#waiting.get(ref.path) ?? new Set()
    this.#waiting.delete(ref.path)
    for (const deliver of waiting) deliver()
  }

  /** Until the tree stops, actors may need others to get done with what they are at. */
  get #isOver(): boolean {
    if (!this.#isClosing()) return false
    const top = this.#top()
    return top === undefined || !this.#takes(top)
  }

  #start({ definition, key, input, path }: DurableRef): Cell {
    const found = this.find(definition, key)
    // Once the tree stops, nobody comes after one that has ended.
    if (found !== undefined && (this.#takes(found) || !this.#isOver)) return found
    if (this.#isOver) throw new RuntimeClosedError(this.#kernel.node, 'it starts no actor any more')
    const kind = this.#kinds.get(definition.name)
    const supervisor = kind && this.#supervisorOf(kind)
    const supervision = supervisor && supervisionIn(supervisor)
    const cell = kind && supervision && spawnChild(supervision, kind.spec, key, input)
    if (cell === undefined) throw new StartFailedError(path, new Error('its start function said ignore'))
    return cell
  }

  #supervisorOf({ definition, guardian: supervisor }: Kind): Cell | undefined {
    const top = this.#top()
    const found = top?.children?.get(definition.name)
    if (found !== undefined || top === undefined) return found
    const supervision = supervisionIn(top)
    return supervision && spawnChild(supervision, child(supervisor), definition.name, undefined)
  }
}
