import type { SuiteRow } from './suite.ts'
import {
  countChildren,
  crash,
  deleteChild,
  dynamic,
  kill,
  nested,
  oneForOne,
  restartChild,
  startChild,
  startDynamic,
  stop,
  terminateChild,
  terminateDynamic,
  worker,
} from './build.ts'

const child1 = worker('child1')
const child2 = worker('child2')
const ignoring = { script: ['ignore'] } as const
const failing = { script: ['fail'] } as const
const many = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `d${10 + index}`)

/** The groups sup_start, sup_stop and administration of supervisor_SUITE. */
export const startStopRows: readonly SuiteRow[] = [
  {
    name: 'sup_start_normal',
    says: 'given no children, when it is started and stopped, then it ends with shutdown',
    case: { tree: oneForOne({}), steps: [stop] },
  },
  {
    name: 'sup_start_ignore_child',
    says: 'given no children, when one is added that says ignore, then its spec is kept without a child',
    case: { tree: oneForOne({}), steps: [startChild({ ...child1, ...ignoring }), startChild(child2)] },
  },
  {
    name: 'sup_start_ignore_temporary_child',
    says: 'given a temporary child that says ignore, when the supervisor starts, then its spec is not kept',
    case: { tree: oneForOne({}, { ...child1, ...ignoring, restart: 'temporary' }, child2), steps: [] },
  },
  {
    name: 'sup_start_ignore_temporary_child_start_child',
    says: 'given no children, when a temporary one is added that says ignore, then its spec is not kept',
    case: {
      tree: oneForOne({}),
      steps: [startChild({ ...child1, ...ignoring, restart: 'temporary' }), startChild(child2)],
    },
  },
  {
    name: 'sup_start_ignore_temporary_child_start_child_simple',
    says: 'given temporary dynamic children, when one says ignore, then there is no such child',
    case: { tree: dynamic({}, { restart: 'temporary' }), steps: [startDynamic('d1', ['ignore']), startDynamic('d2')] },
  },
  {
    name: 'sup_start_ignore_permanent_child_start_child_simple',
    says: 'given permanent dynamic children, when one says ignore, then there is no such child and the supervisor stops well',
    case: { tree: dynamic(), steps: [startDynamic('d1', ['ignore']), startDynamic('d2'), countChildren(), stop] },
  },
  {
    name: 'sup_start_child_returns_error',
    says: 'given no children, when one is added that fails to start, then nothing is kept and nothing is counted',
    case: { tree: oneForOne({ intensity: 0 }), steps: [startChild({ ...child1, ...failing }), startChild(child2)] },
  },
  {
    name: 'sup_start_restart_child_returns_error',
    says: 'given a stopped child, when restarting it by hand fails, then it stays stopped and nothing is counted',
    case: {
      tree: oneForOne({ intensity: 0 }, { ...child1, script: ['ok', 'fail'] }),
      steps: [terminateChild('child1'), restartChild('child1'), restartChild('child1')],
    },
  },
  {
    name: 'sup_start_child_returns_error_simple',
    says: 'given dynamic children, when one fails to start, then there is no such child',
    case: { tree: dynamic(), steps: [startDynamic('d1', ['fail']), startDynamic('d2')] },
  },
  {
    name: 'faulty_application_shutdown',
    says: 'given a nested supervisor whose child fails, when the tree starts, then the failure goes all the way up',
    case: { tree: oneForOne({}, child1, nested(oneForOne({ id: 'app' }, { ...child2, ...failing }))), steps: [] },
  },
  {
    name: 'sup_stop_infinity',
    says: 'given children with all the time there is, when the supervisor stops, then they stop, last first',
    case: {
      tree: oneForOne({}, nested(oneForOne({ id: 'child1' })), { ...child2, shutdown: 'infinity' }),
      steps: [stop],
    },
  },
  {
    name: 'sup_stop_timeout',
    says: 'given a child that does not react, when the supervisor stops, then it is killed after its time',
    case: { tree: oneForOne({}, child1, { ...child2, runs: 'stubborn', shutdown: 30 }), steps: [stop] },
  },
  {
    name: 'sup_stop_timeout_dynamic',
    says: 'given dynamic children that do not react, when the supervisor stops, then they are killed after their time',
    case: {
      tree: dynamic({}, { restart: 'temporary', runs: 'stubborn', shutdown: 30 }),
      steps: [startDynamic('d1'), startDynamic('d2'), stop],
    },
  },
  {
    name: 'sup_stop_brutal_kill',
    says: 'given a child to be killed, when the supervisor stops, then that one is not asked',
    case: { tree: oneForOne({}, child1, { ...child2, shutdown: 'brutal_kill' }), steps: [stop] },
  },
  {
    name: 'sup_stop_brutal_kill_dynamic',
    says: 'given ten dynamic children to be killed, when the supervisor stops, then none is asked',
    case: {
      tree: dynamic({}, { restart: 'temporary', shutdown: 'brutal_kill' }),
      steps: [...many(10).map((id) => startDynamic(id)), stop],
    },
  },
  ...(['temporary', 'transient', 'permanent'] as const).map((restart) => ({
    name: 'sup_stop_non_shutdown_exit_dynamic',
    says: `given ${restart} dynamic children that crash when told to stop, when the supervisor stops, then it ends with shutdown all the same`,
    case: {
      tree: dynamic({}, { restart, runs: 'failing' as const }),
      steps: [startDynamic('d1'), startDynamic('d2'), stop],
    },
  })),
  {
    name: 'extra_return',
    says: 'given a child, when it is asked for by wrong and right names at right and wrong times, then each has its own refusal',
    case: {
      tree: oneForOne({}, child1),
      steps: [
        terminateChild('hej'),
        deleteChild('hej'),
        restartChild('hej'),
        deleteChild('child1'),
        restartChild('child1'),
        terminateChild('child1'),
        restartChild('child1'),
        terminateChild('child1'),
        terminateChild('child1'),
        deleteChild('child1'),
        restartChild('child1'),
        startChild(child1),
        crash('child1'),
      ],
    },
  },
  {
    name: 'child_adm',
    says: 'given a child, when it is terminated, restarted and deleted, then the list follows',
    case: {
      tree: oneForOne({}, child1),
      steps: [
        startChild(child1),
        terminateChild('child1'),
        countChildren(),
        terminateChild('child1'),
        startChild(child1),
        restartChild('child1'),
        restartChild('child2'),
        terminateChild('child1'),
        deleteChild('child1'),
        countChildren(),
        startChild(child1),
        countChildren(),
      ],
    },
  },
  {
    name: 'child_adm',
    says: 'given a supervisor that is gone, when it is asked for anything, then nobody answers',
    case: {
      tree: oneForOne({}, child1),
      steps: [
        stop,
        startChild(child1),
        terminateChild('child1'),
        deleteChild('child1'),
        restartChild('child1'),
        countChildren(),
      ],
    },
  },
  {
    name: 'child_adm_simple',
    says: 'given dynamic children, when they are restarted or deleted by id, then that is refused',
    case: {
      tree: dynamic(),
      steps: [
        countChildren(),
        startDynamic('d1'),
        startDynamic('d2'),
        countChildren(),
        terminateDynamic('d1'),
        restartChild('d2'),
        deleteChild('d2'),
      ],
    },
  },
  {
    name: 'count_children',
    says: 'given 20 temporary dynamic children, when all are killed, then none is counted any more',
    case: {
      tree: dynamic({}, { restart: 'temporary' }),
      steps: [
        ...many(20).map((id) => startDynamic(id)),
        countChildren(),
        ...many(20).map((id) => kill(id)),
        countChildren(),
      ],
    },
  },
  {
    name: 'count_children_supervisor',
    says: 'given dynamic children that are supervisors, when they are counted, then as supervisors',
    case: {
      tree: dynamic({}, { restart: 'temporary', shutdown: 'infinity', runs: oneForOne({ id: 'template' }) }),
      steps: [startDynamic('d1'), startDynamic('d2'), countChildren(), kill('d1'), countChildren()],
    },
  },
]
