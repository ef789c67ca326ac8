import type { Snapshot } from 'xstate'
import type { ChildInfo } from './admin.ts'

/** What a supervisor is at, as any chart would show it. */
export type SupervisorState = 'starting' | 'running' | 'restarting' | 'stopping'

/** Snapshot of a supervisor: XState's shape, with what it is at as its value. */
export type SupervisorSnapshot = Snapshot<undefined> & {
  readonly value: SupervisorState
  readonly context: { readonly children: readonly ChildInfo[] }
  matches(value: SupervisorState): boolean
}

/** The child list is read when it is looked at: a restart costs the same however many siblings there are. */
export const supervisorSnapshot = (
  value: SupervisorState,
  children: () => readonly ChildInfo[],
): SupervisorSnapshot => ({
  status: 'active',
  value,
  output: undefined,
  error: undefined,
  context: {
    get children() {
      return children()
    },
  },
  matches: (other) => other === value,
})
