import type { SuiteRow } from './suite.ts'
import {
  advance,
  countChildren,
  crash,
  deleteChild,
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
  together,
  worker,
} from './build.ts'

const child1 = worker('child1')
const child2 = worker('child2')
const child3 = worker('child3')
const failsAgain = { script: ['ok', 'fail', 'fail', 'fail', 'fail', 'fail'] } as const
const failsOnce = { script: ['ok', 'fail'] } as const
const endings = {
  normal: [exit('child1', 'normal')],
  shutdown: [exit('child1', 'shutdown'), restartChild('child1'), exit('child1', 'shutdown(x)')],
  abnormal: [crash('child1')],
} as const

/** The groups termination, restart_* and what hangs in a restart of supervisor_SUITE. */
export const restartRows: readonly SuiteRow[] = [
  ...(['permanent', 'transient', 'temporary'] as const).flatMap((restart) =>
    (['normal', 'shutdown', 'abnormal'] as const).map((ending) => ({
      name: `${restart}_${ending}`,
      says: `given a ${restart} child, when it ends as ${ending}, then it is restarted, kept or forgotten as its type says`,
      case: { tree: oneForOne({ intensity: 2 }, { ...child1, restart }), steps: endings[ending] },
    })),
  ),
  ...([oneForAll, restForOne] as const).map((root) => ({
    name: 'temporary_bystander',
    says: `given a temporary child behind a permanent one, ${root({}).strategy}, when that ends, then the temporary one is forgotten`,
    case: {
      tree: root({ intensity: 2 }, child1, { ...child2, restart: 'temporary' as const }),
      steps: [exit('child1', 'normal')],
    },
  })),
  {
    name: 'multiple_restarts',
    says: 'given one restart a second, when a child crashes every three, then the supervisor lives',
    case: {
      tree: oneForOne({ intensity: 1, periodS: 1 }, { ...child1, shutdown: 'brutal_kill' }),
      steps: [
        crash('child1'),
        ...[1, 2, 3].flatMap(() => [advance(3_000), crash('child1')]),
        terminateChild('child1'),
        deleteChild('child1'),
      ],
    },
  },
  {
    name: 'one_for_one',
    says: 'given an intensity of 2, when three crash, then the third takes the supervisor down',
    case: {
      tree: oneForOne({ intensity: 2 }, child1, child2),
      steps: [crash('child1'), crash('child2'), crash('child2')],
    },
  },
  {
    name: 'one_for_one_escalation',
    says: 'given a child that cannot start again, when it crashes, then every try counts and the supervisor gives up',
    case: { tree: oneForOne({ intensity: 4 }, { ...child1, ...failsAgain }, child2), steps: [crash('child1')] },
  },
  {
    name: 'one_for_all',
    says: 'given an intensity of 2, when three crash, then all restart twice, and the third takes the supervisor down',
    case: {
      tree: oneForAll({ intensity: 2 }, child1, child2),
      steps: [crash('child1'), crash('child2'), crash('child2')],
    },
  },
  {
    name: 'one_for_all_escalation',
    says: 'given a sibling that cannot start again, when a child crashes, then the supervisor gives up',
    case: { tree: oneForAll({ intensity: 4 }, child1, { ...child2, ...failsAgain }), steps: [crash('child1')] },
  },
  {
    name: 'one_for_all_other_child_fails_restart',
    says: 'given a sibling that fails to start once, when a child crashes, then what had started stops and all begin again',
    case: { tree: oneForAll({ intensity: 3 }, child1, { ...child2, ...failsOnce }), steps: [crash('child1')] },
  },
  {
    name: 'rest_for_one',
    says: 'given an intensity of 2, when three crash, then those behind restart with each, and the third takes the supervisor down',
    case: {
      tree: restForOne({ intensity: 2 }, child1, child2, child3),
      steps: [crash('child2'), crash('child3'), crash('child2')],
    },
  },
  {
    name: 'rest_for_one_escalation',
    says: 'given a child behind that cannot start again, when the one before crashes, then the supervisor gives up',
    case: { tree: restForOne({ intensity: 4 }, child1, { ...child2, ...failsAgain }), steps: [crash('child1')] },
  },
  {
    name: 'rest_for_one_other_child_fails_restart',
    says: 'given a child behind that fails to start once, when the one before crashes, then the restart goes on from there',
    case: { tree: restForOne({ intensity: 3 }, child1, { ...child2, ...failsOnce }), steps: [crash('child1')] },
  },
  {
    name: 'simple_one_for_one',
    says: 'given an intensity of 2, when three dynamic children crash, then the third takes the supervisor down',
    case: {
      tree: dynamic({ intensity: 2 }),
      steps: [startDynamic('d1'), startDynamic('d2'), crash('d1'), crash('d2'), crash('d1')],
    },
  },
  {
    name: 'simple_one_for_one_shutdown',
    says: 'given dynamic children that do not react, when the supervisor stops, then all have the same time',
    case: {
      tree: dynamic({}, { runs: 'stubborn', shutdown: 30 }),
      steps: [startDynamic('d1'), startDynamic('d2'), startDynamic('d3'), stop],
    },
  },
  {
    name: 'simple_one_for_one_escalation',
    says: 'given a dynamic child that cannot start again, when it crashes, then the supervisor gives up',
    case: {
      tree: dynamic({ intensity: 4 }),
      steps: [startDynamic('d1', failsAgain.script), startDynamic('d2'), crash('d1')],
    },
  },
  {
    name: 'order_of_children',
    says: 'given ids in no order, when one crashes and when the supervisor stops, then the order is that of the list',
    case: {
      tree: restForOne({ intensity: 2 }, ...['ch7', 'ch3', 'ch10', 'ch2', 'ch5'].map((id) => worker(id))),
      steps: [crash('ch10'), stop],
    },
  },
  {
    name: 'tree',
    says: 'given a tree, when a nested supervisor gives up, then all comes back but what was added',
    case: {
      tree: oneForAll(
        { intensity: 4 },
        nested(oneForOne({ id: 'supchild1', intensity: 4 }, child1, child2)),
        nested(oneForOne({ id: 'supchild2', intensity: 4 })),
        nested(oneForOne({ id: 'supchild3', intensity: 4 }), { restart: 'transient' }),
      ),
      steps: [
        terminateChild('supchild3'),
        startChild({ ...child3, ...failsAgain }, 'supchild2'),
        startChild(worker('child4'), 'supchild2'),
        crash('child4'),
        crash('child3'),
      ],
    },
  },
  ...(['kill', 'normal', 'crash'] as const).map((how) => ({
    name: 'simple_global_supervisor',
    says: `given a worker under a nested supervisor, when it ends (${how}), then it is there again`,
    case: {
      tree: oneForAll({}, nested(oneForAll({ id: 'sup2' }, worker('server')))),
      steps: [how === 'kill' ? kill('server') : exit('server', how)],
    },
  })),
  {
    name: 'simple_global_supervisor',
    says: 'given a nested supervisor, when it is killed, then it and its worker are there again',
    case: { tree: oneForAll({}, nested(oneForAll({ id: 'sup2' }, worker('server')))), steps: [kill('sup2')] },
  },
  {
    name: 'do_not_save_child_specs_for_temporary_children',
    says: 'given a temporary child, when it has ended, then its id is free again',
    case: {
      tree: restForOne({}),
      steps: (['kill', 'normal', 'crash', 'supervisor'] as const).flatMap((how) => [
        startChild({ ...child3, restart: 'temporary' }),
        how === 'kill' ? kill('child3') : how === 'supervisor' ? terminateChild('child3') : exit('child3', how),
      ]),
    },
  },
  {
    name: 'hanging_restart_loop',
    says: 'given a child that fails to start again, when it is asked for between two tries, then it is restarting, and can be terminated',
    case: {
      tree: oneForOne({ intensity: 8 }, { ...child1, ...failsAgain, shutdown: 'brutal_kill' }),
      steps: [
        together(
          [crash('child1')],
          [
            startChild(child1),
            restartChild('child1'),
            deleteChild('child1'),
            countChildren(),
            terminateChild('child1'),
            restartChild('child1'),
          ],
        ),
      ],
    },
  },
  {
    name: 'hanging_restart_loop_rest_for_one',
    says: 'given a child that fails to start again, when it is terminated between two tries, then those behind stay down',
    case: {
      tree: restForOne(
        { intensity: 8 },
        child1,
        { ...child2, ...failsAgain, shutdown: 'brutal_kill' },
        { ...child3, shutdown: 'brutal_kill' },
      ),
      steps: [
        together(
          [crash('child2')],
          [
            startChild(child2),
            restartChild('child2'),
            deleteChild('child2'),
            countChildren(),
            terminateChild('child2'),
          ],
        ),
      ],
    },
  },
  {
    name: 'hanging_restart_loop_simple',
    says: 'given a dynamic child that fails to start again, when it is counted between two tries, then it is there and not active',
    case: {
      tree: dynamic({ intensity: 8 }, { shutdown: 'brutal_kill' }),
      steps: [
        startDynamic('d1', failsAgain.script),
        together([crash('d1')], [restartChild('d1'), deleteChild('d1'), countChildren()]),
      ],
    },
  },
  {
    name: 'count_restarting_children',
    says: 'given three dynamic children, when two are restarting, then one is active',
    case: {
      tree: dynamic({ intensity: 20 }, { shutdown: 'brutal_kill' }),
      steps: [
        startDynamic('d1', failsOnce.script),
        startDynamic('d2', failsOnce.script),
        startDynamic('d3'),
        together([crash('d1'), crash('d2')], [countChildren()]),
        countChildren(),
      ],
    },
  },
]
