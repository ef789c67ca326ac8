import type { RuntimeEvent, RuntimeEventOf } from '../../../core/events.ts'
import { isCleanExit, type ExitReason } from '../../../core/exit.ts'
import { shouldRestart, type ChildSpec } from '../../../supervisors/child-spec.ts'
import { OrderedChildren } from '../../../supervisors/supervisor.ts'
import { supervisionIn } from '../../../supervisors/supervisor-host.ts'
import type { Invariant, Probe } from '../invariant.ts'
import type { SimulatedNode } from '../node.ts'
import type { World } from '../world.ts'
import { cellAt } from './cells.ts'

/** I4: whom a supervisor starts again is somebody whom OTP's would, and not more often. */
export const supervision: Invariant = {
  kind: 'invariant',
  name: 'I4 restarts are those of OTP',
  begin: (world) => new SupervisionRules(world),
}

class SupervisionRules implements Probe {
  readonly #world: World
  /**
   * How each incarnation ended, by path and number; undefined when two of that name did, as children of a supervisor that
   * was killed and of the next one may.
   */
  readonly #ends = new Map<SimulatedNode, Map<string, ExitReason | undefined>>()
  /** Own milliseconds of the restarts by a supervisor, by its path and incarnation. */
  readonly #restarts = new Map<SimulatedNode, Map<string, number[]>>()

  constructor(world: World) {
    this.#world = world
  }

  event(event: RuntimeEvent, node: SimulatedNode): void {
    if (event.type === 'stopped') {
      const ends = this.#ends.get(node) ?? new Map<string, ExitReason | undefined>()
      const key = `${event.path} ${event.incarnation}`
      this.#ends.set(node, ends.set(key, ends.has(key) ? undefined : event.reason))
    } else if (event.type === 'restarted') this.#restarted(event, node)
  }

  #restarted({ path, incarnation, supervisor }: RuntimeEventOf<'restarted'>, node: SimulatedNode): void {
    const cell = cellAt(node, path)
    const above = cellAt(node, supervisor)
    if (cell === undefined || above === undefined) return
    const fail = (problem: string): void => {
      this.#world.fail(`${supervisor} started ${path} again ${problem}`)
    }
    if (above.status !== 'running') fail(`while it was ${above.status}`)
    const end = this.#ends.get(node)?.get(`${path} ${incarnation - 1}`)
    // Cells under a supervisor are started with their spec as their rules.
    const spec = cell.rules as ChildSpec
    if (spec.restart === 'temporary') fail('though it is temporary')
    const own = supervisionIn(above)
    if (own === undefined) return
    // Whoever shares the fate of another may have ended in any way.
    const isAlone = !(own.children instanceof OrderedChildren) || own.children.strategy === 'one_for_one'
    if (isAlone && end !== undefined && spec.decide === undefined && !shouldRestart[spec.restart](end))
      fail(`after an end that is ${isCleanExit(end) ? 'clean' : end.kind}, though it is ${spec.restart}`)
    const isCounted = spec.intensity === undefined && spec.definition.durable === undefined
    if (isAlone && isCounted) this.#count(`${supervisor}#${above.incarnation}`, own.intensity, node, fail)
  }

  /** More restarts within its time than its intensity allows, and it would have given up. */
  #count(
    supervisor: string,
    { restarts, withinMs }: { readonly restarts: number; readonly withinMs: number },
    node: SimulatedNode,
    fail: (problem: string) => void,
  ): void {
    const times = this.#restarts.get(node) ?? new Map<string, number[]>()
    this.#restarts.set(node, times)
    const nowMs = node.zone?.now() ?? 0
    const past = (times.get(supervisor) ?? []).slice(-restarts)
    times.set(supervisor, [...past, nowMs])
    const first = past[0]
    // A restart with a backoff is counted before it happens, so that only those at once can be compared.
    if (past.length === restarts && first !== undefined && nowMs - first < withinMs * tolerance)
      fail(`for the ${restarts + 1}th time in ${withinMs} ms, which is more than its intensity`)
  }

  died(node: SimulatedNode): void {
    this.#ends.delete(node)
    this.#restarts.delete(node)
  }
}

/** A step that takes long lies between the decision and the restart at times. */
const tolerance = 0.5
