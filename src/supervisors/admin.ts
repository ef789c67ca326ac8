import * as z from 'zod'
import { question } from '../actors/protocol.ts'
import type { Ref } from '../actors/ref.ts'
import { EchelonError } from '../core/errors.ts'
import type { ChildInput } from './child-spec.ts'

/** Why a supervisor refuses an administrative call; OTP's words with our codes. */
const refusals = {
  CHILD_ALREADY_STARTED: 'is running already',
  CHILD_ALREADY_PRESENT: 'is in the child list already: restart it, or delete it first',
  CHILD_RUNNING: 'is running: terminate it first',
  CHILD_RESTARTING: 'is being restarted: terminate it first',
  CHILD_NOT_FOUND: 'is not in the child list',
  CHILD_START_FAILED: 'failed to start',
  MAX_CHILDREN: 'would be one child too many',
  DYNAMIC_SUPERVISOR: 'belongs to a dynamic supervisor, which forgets children that end: start another',
} as const

export type SupervisorErrorCode = keyof typeof refusals

export class SupervisorError extends EchelonError {
  readonly code: SupervisorErrorCode
  readonly child: string
  constructor(code: SupervisorErrorCode, supervisor: string, child: string, options?: ErrorOptions) {
    const because = options?.cause instanceof Error ? `: ${options.cause.message}` : ''
    super(`Child '${child}' of ${supervisor} ${refusals[code]}${because}`, options)
    this.code = code
    this.child = child
  }
}

/** One entry of a child list. */
export interface ChildInfo {
  readonly id: string
  readonly status: 'running' | 'restarting' | 'stopped'
  readonly type: 'worker' | 'supervisor'
  /** Undefined for a child that has never run: its start said `ignore`. */
  readonly ref: Ref | undefined
}

export interface ChildCounts {
  readonly specs: number
  readonly active: number
  readonly supervisors: number
  readonly workers: number
}

const id = z.string().min(1)

/** What every supervisor understands; a tier and a pool understand their actor's messages beside it. */
export const supervisorProtocol = {
  'supervisor.startChild': question({ spec: z.custom<ChildInput>() }, z.custom<ChildInfo>()),
  'supervisor.terminateChild': question({ id }, z.undefined()),
  'supervisor.restartChild': question({ id }, z.custom<ChildInfo>()),
  'supervisor.deleteChild': question({ id }, z.undefined()),
  'supervisor.whichChildren': question({}, z.custom<readonly ChildInfo[]>()),
  'supervisor.countChildren': question({}, z.custom<ChildCounts>()),
}

/** What a dynamic supervisor understands: children differ in their input only. */
export const dynamicSupervisorProtocol = {
  ...supervisorProtocol,
  'supervisor.startChild': question({ id: id.optional(), input: z.unknown() }, z.custom<ChildInfo>()),
}

// `ask` alone is generic, which would take the ref of any actor; `send` names what its actor understands.
type SupervisorRef = Pick<Ref<typeof supervisorProtocol>, 'ask' | 'send'>
type DynamicSupervisorRef = Pick<Ref<typeof dynamicSupervisorProtocol>, 'ask' | 'send'>
type AnySupervisorRef = Pick<Ref<Omit<typeof supervisorProtocol, 'supervisor.startChild'>>, 'ask' | 'send'>

/** Adds a child at the end of the list and starts it. Rejects with `SupervisorError` or `CHILD_SPEC_INVALID`. */
export const startChild = (supervisor: SupervisorRef, spec: ChildInput): Promise<ChildInfo> =>
  supervisor.ask({ type: 'supervisor.startChild', spec })

/** Starts one more child of a dynamic supervisor. Rejects with `SupervisorError`. */
export const startDynamicChild = (
  supervisor: DynamicSupervisorRef,
  options: { readonly id?: string; readonly input?: unknown } = {},
): Promise<ChildInfo> => supervisor.ask({ type: 'supervisor.startChild', id: options.id, input: options.input })

/** Stops a child; its spec stays, without a child, unless it is temporary or dynamic. */
export const terminateChild = (supervisor: AnySupervisorRef, child: string): Promise<undefined> =>
  supervisor.ask({ type: 'supervisor.terminateChild', id: child }, { timeoutMs: Infinity })

/** Starts a child that was stopped. */
export const restartChild = (supervisor: AnySupervisorRef, child: string): Promise<ChildInfo> =>
  supervisor.ask({ type: 'supervisor.restartChild', id: child })

/** Removes the spec of a child that is stopped. */
export const deleteChild = (supervisor: AnySupervisorRef, child: string): Promise<undefined> =>
  supervisor.ask({ type: 'supervisor.deleteChild', id: child })

/** The child list, in start order. */
export const whichChildren = (supervisor: AnySupervisorRef): Promise<readonly ChildInfo[]> =>
  supervisor.ask({ type: 'supervisor.whichChildren' })

export const countChildren = (supervisor: AnySupervisorRef): Promise<ChildCounts> =>
  supervisor.ask({ type: 'supervisor.countChildren' })
