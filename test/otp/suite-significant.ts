import type { SuiteRow } from './suite.ts'
import {
  crash,
  dynamic,
  exit,
  kill,
  nested,
  oneForAll,
  oneForOne,
  restartChild,
  restForOne,
  startChild,
  startDynamic,
  stop,
  terminateChild,
  worker,
} from './build.ts'
import type { ChildCase, Step } from './case.ts'

const modes = ['never', 'any_significant', 'all_significant'] as const
const ends: Readonly<Record<'kill' | 'crash' | 'normal', Step>> = {
  kill: kill('child1'),
  crash: crash('child1'),
  normal: exit('child1', 'normal'),
}
const trio = (restart: 'temporary' | 'transient'): readonly ChildCase[] => [
  worker('child1', { restart, significant: true }),
  worker('child2', { restart, significant: true }),
  worker('child3', { restart }),
]

/** The group significant of supervisor_SUITE. Its upgrades need Erlang's code change, which has no counterpart. */
export const significantRows: readonly SuiteRow[] = [
  ...modes.map((autoShutdown) => ({
    name: 'nonsignificant_temporary',
    says: `given ${autoShutdown} and a temporary child that is not significant, when it ends in any way, then the supervisor stays`,
    case: {
      tree: oneForOne({ autoShutdown }),
      steps: [terminateChild('child1'), ends.kill, ends.crash, ends.normal].flatMap((end) => [
        startChild(worker('child1', { restart: 'temporary' as const })),
        end,
      ]),
    },
  })),
  ...modes.map((autoShutdown) => ({
    name: 'nonsignificant_transient',
    says: `given ${autoShutdown} and a transient child that is not significant, when it ends in any way, then the supervisor stays`,
    case: {
      tree: oneForOne({ intensity: 5, autoShutdown }, worker('child1', { restart: 'transient' as const })),
      steps: [terminateChild('child1'), restartChild('child1'), ends.kill, ends.crash, ends.normal],
    },
  })),
  ...(['temporary', 'transient'] as const).flatMap(
    (restart) =>
      [
        {
          name: `significant_${restart}`,
          says: 'given any_significant, when a significant child is terminated by hand, then the supervisor stays',
          case: {
            tree: oneForOne({ intensity: 5, autoShutdown: 'any_significant' }, ...trio(restart)),
            steps: [terminateChild('child1')],
          },
        },
        ...(['kill', 'crash', 'normal'] as const).map((how) => ({
          name: `significant_${restart}`,
          says: `given any_significant, when a significant child ends (${how}), then the supervisor ends unless the child is restarted`,
          case: {
            tree: oneForOne({ intensity: 5, autoShutdown: 'any_significant' as const }, ...trio(restart)),
            steps: [ends[how]],
          },
        })),
        {
          name: `significant_${restart}`,
          says: 'given all_significant, when the last significant child ends, then the supervisor ends',
          case: {
            tree: oneForOne({ intensity: 5, autoShutdown: 'all_significant' }, ...trio(restart)),
            steps: [ends.normal, exit('child2', 'normal')],
          },
        },
      ] satisfies readonly SuiteRow[],
  ),
  ...(['any_significant', 'all_significant'] as const).map((autoShutdown) => ({
    name: 'significant_simple',
    says: `given ${autoShutdown} and significant dynamic children, when one after the other ends, then the supervisor ends with the right one`,
    case: {
      tree: dynamic({ autoShutdown }, { restart: 'temporary', significant: true }),
      steps: [startDynamic('d1'), startDynamic('d2'), exit('d1', 'normal'), exit('d2', 'normal')],
    },
  })),
  ...[oneForOne, oneForAll, restForOne].flatMap((root) =>
    (['any_significant', 'all_significant'] as const).map((autoShutdown) => ({
      name: 'significant_bystander',
      says: `given ${autoShutdown}, ${root({}).strategy}, when significant children stop for a sibling's sake, then the supervisor stays`,
      case: {
        tree: root(
          { intensity: 5, autoShutdown },
          worker('child1', { restart: 'transient', significant: true }),
          worker('child2', { restart: 'transient' }),
          worker('child3', { restart: 'transient', significant: true }),
        ),
        steps: [kill('child2'), stop],
      },
    })),
  ),
  ...[true, false].map((significant) => ({
    name: 'significant_escalation',
    says: `given a nested supervisor that is ${significant ? '' : 'not '}significant, when it ends itself, then the one above ${significant ? 'does too' : 'stays'}`,
    case: {
      tree: oneForOne(
        { autoShutdown: 'any_significant' as const },
        nested(
          oneForOne(
            { id: 'sup1', autoShutdown: 'any_significant' },
            worker('child1', { restart: 'transient', significant: true }),
          ),
          { restart: 'transient', significant },
        ),
      ),
      steps: [ends.normal],
    },
  })),
]
