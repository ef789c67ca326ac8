import type { ActorLogic, AnyEventObject } from 'xstate'
import type { Cell } from '../actors/cell.ts'
import { MessageContext } from '../actors/context.ts'
import type { ActorDefinition } from '../actors/definition.ts'
import type { Host } from '../actors/host.ts'
import { mailboxLimits } from '../actors/mailbox.ts'
import { protocolTable, type Protocol } from '../actors/protocol.ts'
import { DefinitionInvalidError, NotHostedError } from '../core/errors.ts'
import { isSegment } from '../core/ids.ts'
import { supervisorSnapshot, type SupervisorSnapshot } from './supervisor-snapshot.ts'
import { RestartDue, TryAgain, type Procedure, type Supervision } from './supervision.ts'

/** One kind of supervisor: how it begins, and what it does with a message. */
export interface SupervisorKind {
  readonly name: string
  readonly protocol: Protocol
  readonly stopsInParallel: boolean
  open(cell: Cell): Supervision
  /** Starts the first children. Throws, or reports by `cell.failStart`, when one fails. */
  begin(supervision: Supervision): Procedure
  /** An administrative question, or a message for its children. */
  handle(supervision: Supervision, context: MessageContext): void
}

/** Which supervision runs in a cell. */
const supervisions = new WeakMap<Cell, Supervision>()

/** XState actor logic of a supervisor: custom logic with a map of children, never a chart with `spawnChild`, which copies them all. */
type SupervisorLogic = ActorLogic<SupervisorSnapshot, AnyEventObject, unknown>

function supervisorLogic(kind: SupervisorKind): SupervisorLogic {
  return {
    getInitialSnapshot: () => supervisorSnapshot('starting', () => []),
    transition(_snapshot, event, scope: unknown) {
      const supervision = scope instanceof MessageContext ? supervisions.get(scope.cell) : undefined
      if (!(scope instanceof MessageContext) || supervision === undefined)
        throw new NotHostedError(`Supervisor '${kind.name}'`)
      if (event instanceof TryAgain) supervision.tryAgain(event.record)
      else if (event instanceof RestartDue) supervision.resume(event.record)
      else kind.handle(supervision, scope)
      return supervision.snapshot
    },
    // Children are not in it: a supervisor comes back from its specs.
    getPersistedSnapshot: ({ value }) => ({ ...supervisorSnapshot(value, () => []) }),
  }
}

/** A supervisor as an actor definition. @throws {DefinitionInvalidError} `DEFINITION_INVALID` for a name that is no path segment. */
export function defineSupervisor<P extends Protocol>(
  kind: SupervisorKind & { readonly protocol: P },
): ActorDefinition<P, undefined, SupervisorSnapshot> {
  if (!isSegment(kind.name)) {
    throw new DefinitionInvalidError(`supervisor('${kind.name}')`, 'a name is 1 to 200 of A-Z a-z 0-9 _ . : @ $ ~ + -')
  }
  const logic = supervisorLogic(kind)
  return {
    kind: 'actor',
    name: kind.name,
    protocol: kind.protocol,
    logic,
    type: 'supervisor',
    reentrant: false,
    mailbox: mailboxLimits(kind.name),
    start: undefined,
    handlesSignal: () => false,
    inputSchema: undefined,
    table: protocolTable(kind.protocol),
    host: supervisorHost(kind, logic),
    durable: undefined,
  }
}

function supervisorHost(kind: SupervisorKind, logic: SupervisorLogic): Host {
  const supervisionOf = (cell: Cell): Supervision => {
    const supervision = supervisions.get(cell)
    if (supervision === undefined) throw new NotHostedError(`Supervisor '${kind.name}'`)
    return supervision
  }
  return {
    canResume: true,
    stopsInParallel: kind.stopsInParallel,
    start(cell) {
      const supervision = kind.open(cell)
      supervisions.set(cell, supervision)
      cell.hosted = supervision.snapshot
      supervision.run(kind.begin(supervision))
      // Everything that had started has stopped again: the failure is the start's.
      if (cell.status === 'stopped' && cell.exit?.kind === 'crash') throw cell.exit.error
    },
    react(context) {
      const { cell } = context
      // Of what a scope has, this logic uses the context of the message only.
      const scope = context as unknown as Parameters<SupervisorLogic['transition']>[2]
      logic.transition(supervisionOf(cell).snapshot, context.message, scope)
      return undefined
    },
    // This host leaves the snapshot of its supervision in the cell.
    snapshot: (cell) => cell.hosted as SupervisorSnapshot,
    ending(cell) {
      supervisions.get(cell)?.enter('stopping')
    },
    end(cell) {
      supervisions.get(cell)?.close()
      const snapshot = supervisions.get(cell)?.snapshot ?? supervisorSnapshot('stopping', () => [])
      cell.hosted = { ...snapshot, status: 'stopped' }
    },
    childEnded: (cell, child) => supervisions.get(cell)?.childEnded(child) ?? false,
    reactToChild(cell, child) {
      supervisionOf(cell).reactToChild(child)
    },
  }
}

/** The supervision that runs in a cell, if one does. */
export const supervisionIn = (cell: Cell): Supervision | undefined => supervisions.get(cell)
