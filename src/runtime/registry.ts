import { cellBehind, type AnyRef, type Ref } from '../actors/ref.ts'
import type { Protocol } from '../actors/protocol.ts'
import { DefinitionInvalidError, NameTakenError } from '../core/errors.ts'
import { isSegment } from '../core/ids.ts'
import type { DiscoveryKey } from '../core/services.ts'

/**
 * Names of single actors, and keys under which any number of actors are found. Both are released before anybody learns
 * that the actor has ended, so a watcher may take the name at once.
 *
 * Both belong to one incarnation, as Erlang's names do to a process: after a restart the new one registers again.
 */
export class Registry {
  readonly #byName = new Map<string, AnyRef>()
  readonly #byKey = new Map<string, Set<AnyRef>>()

  /**
   * Registers one incarnation under a name that nobody else has. The result releases it; so does its end.
   * @throws {NameTakenError} `NAME_TAKEN`, {DefinitionInvalidError} `DEFINITION_INVALID` for what is no name, or an actor that has ended.
   */
  register(name: string, ref: AnyRef): () => void {
    if (!isSegment(name))
      throw new DefinitionInvalidError(`register('${name}')`, 'a name is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
    if (!ref.isRunning)
      throw new DefinitionInvalidError(`register('${name}')`, `${ref.path} is not running: register an actor that is`)
    if (this.#byName.has(name)) throw new NameTakenError(name, 'the registry')
    this.#byName.set(name, ref)
    const release = (): void => {
      if (forget()) this.#byName.delete(name)
    }
    // It is there: it runs.
    const forget = cellBehind(ref)?.onEnd(release) ?? (() => true)
    return release
  }

  whereis(name: string): AnyRef | undefined {
    return this.#byName.get(name)
  }

  /** Everybody who has a name or is found under a key, with that. */
  *entries(): Iterable<readonly [string, AnyRef]> {
    yield* this.#byName
    for (const [key, refs] of this.#byKey) for (const ref of refs) yield [key, ref]
  }

  /** Lets `ref` be found under `key`. The result takes it back; undefined when it was found there already. */
  offer(key: DiscoveryKey<Protocol>, ref: AnyRef): (() => void) | undefined {
    let refs = this.#byKey.get(key.name)
    if (refs?.has(ref) === true) return undefined
    if (refs === undefined) this.#byKey.set(key.name, (refs = new Set<AnyRef>()))
    refs.add(ref)
    return () => {
      refs.delete(ref)
      if (refs.size === 0 && this.#byKey.get(key.name) === refs) this.#byKey.delete(key.name)
    }
  }

  find<P extends Protocol>(key: DiscoveryKey<P>): readonly Ref<P>[] {
    // Only actors whose protocol is the key's are offered under it: `register` in a context takes no other.
    return [...(this.#byKey.get(key.name) ?? [])] as unknown as readonly Ref<P>[]
  }
}
