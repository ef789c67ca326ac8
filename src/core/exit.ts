/**
 * How an actor ends, as Erlang tells it to whoever watches.
 *
 * `normal`: it was done. `shutdown`: it was asked to stop. `crash`: it failed with `error`. `killed`: it was fenced
 * without being asked. `noproc`: it was not there (any more) when the watch began. `noconnection`: its node cannot be
 * reached, which does not mean that it is dead.
 *
 * @see https://www.erlang.org/doc/system/ref_man_processes.html
 */
export type ExitReason =
  | { readonly kind: 'normal' }
  | { readonly kind: 'shutdown'; readonly detail?: unknown }
  | { readonly kind: 'crash'; readonly error: unknown }
  | { readonly kind: 'killed' }
  | { readonly kind: 'noproc' }
  | { readonly kind: 'noconnection' }

const plainShutdown: ExitReason = { kind: 'shutdown' }

/** The exit reasons, ready to use: `exits.normal`, `exits.shutdown('maintenance')`, `exits.crash(error)`. */
export const exits = {
  normal: { kind: 'normal' },
  killed: { kind: 'killed' },
  noproc: { kind: 'noproc' },
  noconnection: { kind: 'noconnection' },
  shutdown: (detail?: unknown): ExitReason => (detail === undefined ? plainShutdown : { kind: 'shutdown', detail }),
  crash: (error: unknown): ExitReason => ({ kind: 'crash', error }),
} as const satisfies Record<string, ExitReason | ((argument: never) => ExitReason)>

/** Whether a supervisor of a `transient` child takes this end for a good one: OTP's normal, shutdown, {shutdown, _}. */
export const isCleanExit = (reason: ExitReason): boolean => reason.kind === 'normal' || reason.kind === 'shutdown'

/** One line for people: `crash: Error: boom`. */
export function describeExit(reason: ExitReason): string {
  if (reason.kind === 'crash') return `crash: ${describeError(reason.error)}`
  if (reason.kind === 'shutdown' && reason.detail !== undefined) return `shutdown: ${describeError(reason.detail)}`
  return reason.kind
}

/** What was thrown, as an `Error`. */
export const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(describeError(thrown), { cause: thrown })

/** One line for any thrown value, also for those that are no `Error` or whose own text throws. */
export function describeError(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } catch {
    return 'a value that cannot be shown'
  }
}
