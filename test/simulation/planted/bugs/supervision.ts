import type { PlantedBug } from '../bug.ts'

const strategy = 'src/supervisors/strategy.ts'
const window = 'src/supervisors/restart-intensity.ts'
const specs = 'src/supervisors/child-spec.ts'
const asErlang = { scenario: 'supervision', breaks: ['I4', 'asErlangDoes'] } as const

/** Who restarts whom, how often, and in which order. */
export const supervisionBugs: readonly PlantedBug[] = [
  {
    id: 'intensity-off-by-one',
    isQuick: true,
    what: 'one restart more than the intensity allows is borne',
    file: window,
    find: 'if (this.#pastMs.length < restarts) {',
    replace: 'if (this.#pastMs.length <= restarts) {',
    ...asErlang,
  },
  {
    id: 'period-boundary',
    what: 'a restart just as long ago as the period does not count any more',
    file: window,
    find: 'return nowMs <= oldestMs + withinMs',
    replace: 'return nowMs < oldestMs + withinMs',
    ...asErlang,
  },
  {
    id: 'wrong-window',
    what: 'restarts of a child that has an intensity of its own count against its siblings too',
    file: 'src/supervisors/supervision.ts',
    find: 'if (isCounted && (own ?? this.#window).exceeds(nowMs)) {',
    replace: 'const exceeds = this.#window.exceeds(nowMs)\n    if (isCounted && (own?.exceeds(nowMs) ?? exceeds)) {',
    ...asErlang,
  },
  {
    id: 'one-for-all-leaves-one',
    what: 'one_for_all leaves the first child alone when another one failed',
    file: strategy,
    find: 'one_for_all: (children) => children,',
    replace: 'one_for_all: (children, failed) => (children[0] === failed ? children : children.slice(1)),',
    ...asErlang,
  },
  {
    id: 'rest-for-one-before',
    what: 'rest_for_one restarts the child before the one that failed too',
    file: strategy,
    find: 'children.slice(children.indexOf(failed))',
    replace: 'children.slice(Math.max(0, children.indexOf(failed) - 1))',
    ...asErlang,
  },
  {
    id: 'transient-after-normal',
    what: 'a transient child is started again after a normal end',
    file: specs,
    find: 'transient: (exit) => !isCleanExit(exit),',
    replace: "transient: (exit) => exit.kind !== 'shutdown',",
    ...asErlang,
  },
  {
    id: 'temporary-restarted',
    what: 'a temporary child that shares the fate of a sibling is started again with it',
    file: 'src/supervisors/supervisor.ts',
    find: "const isTemporary = record.spec.restart === 'temporary'",
    replace: 'const isTemporary = false',
    ...asErlang,
  },
  {
    id: 'stopped-left-to-right',
    what: 'a supervisor that stops does so with its first child first',
    file: 'src/actors/stop-order.ts',
    find: 'parts.stopping = parts.toStop.pop()',
    replace: 'parts.stopping = parts.toStop.shift()',
    ...asErlang,
  },
  {
    id: 'significant-while-restarting',
    what: 'a significant child whose restart waits counts as gone',
    file: 'src/supervisors/supervisor.ts',
    find: "record.spec.significant && record.state !== 'stopped'",
    replace: "record.spec.significant && record.state === 'running'",
    scenario: 'significant',
    breaks: ['endsWithAllSignificant'],
  },
]
