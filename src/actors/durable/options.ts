import { DefinitionInvalidError } from '../../core/errors.ts'
import type { Message } from '../../core/message.ts'

/** How what one version wrote becomes what the next one reads. What is left out stays as it is. */
export interface Migration {
  /** A message in the journal; for a chart also an event of its own, such as the end of something that it invoked. */
  readonly message?: (message: Message) => Message
  /** The state of a handler actor in a snapshot; the persisted snapshot of a chart. */
  readonly state?: (state: unknown) => unknown
}

export interface DurableOptions {
  /** Version of messages and state. Default 1. Raise it when old ones no longer fit, and say how they are carried over. */
  readonly version?: number
  /** By the version that they start from: `{ 1: { state: (old) => … } }` leads from version 1 to 2. */
  readonly migrations?: Readonly<Record<number, Migration>>
  /** A snapshot is taken after so many entries or so many bytes of them. Default: 100 entries, 1 MiB. */
  readonly snapshotEvery?: { readonly entries?: number; readonly bytes?: number }
  /** Milliseconds without anything to do after which an actor that `get` started leaves memory. Default 60,000. `Infinity`: never. */
  readonly passivateAfterMs?: number
  /** How many message ids and outcomes of effects are remembered, each. Default 1,000. */
  readonly window?: number
  /** Bytes of an effect's result that an entry holds; larger ones are kept beside it. Default 65,536. */
  readonly inlineResultBytes?: number
  /** Bytes of an effect's result at most. Default 8 MiB. */
  readonly maxResultBytes?: number
}

/** `DurableOptions` with every choice made. */
export interface Durability {
  readonly version: number
  readonly migrations: Readonly<Record<number, Migration>>
  readonly snapshotEntries: number
  readonly snapshotBytes: number
  readonly passivateAfterMs: number
  readonly window: number
  readonly inlineResultBytes: number
  readonly maxResultBytes: number
}

/** @throws {DefinitionInvalidError} `DEFINITION_INVALID` */
export function durability(name: string, given: true | DurableOptions): Durability {
  const { version = 1, migrations = {}, snapshotEvery = {}, ...rest } = given === true ? {} : given
  const options: Durability = {
    version,
    migrations,
    snapshotEntries: snapshotEvery.entries ?? 100,
    snapshotBytes: snapshotEvery.bytes ?? 2 ** 20,
    passivateAfterMs: rest.passivateAfterMs ?? 60_000,
    window: rest.window ?? 1000,
    inlineResultBytes: rest.inlineResultBytes ?? 65_536,
    maxResultBytes: rest.maxResultBytes ?? 8 * 2 ** 20,
  }
  const refuse = (option: string, value: unknown, wanted: string): never => {
    throw new DefinitionInvalidError(`${name}.durable.${option}`, `${String(value)} is not ${wanted}`)
  }
  for (const option of ['version', 'snapshotEntries', 'snapshotBytes', 'window', 'maxResultBytes'] as const) {
    if (!Number.isSafeInteger(options[option]) || options[option] < 1)
      refuse(option, options[option], 'a positive integer')
  }
  if (!(options.inlineResultBytes >= 0)) refuse('inlineResultBytes', options.inlineResultBytes, 'a number of bytes')
  if (!(options.passivateAfterMs > 0)) refuse('passivateAfterMs', options.passivateAfterMs, 'above 0 milliseconds')
  for (const from of Object.keys(migrations)) {
    if (!(Number(from) >= 1 && Number(from) < version))
      refuse(`migrations[${from}]`, from, `a version before ${version}`)
  }
  return options
}
