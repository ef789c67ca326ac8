import type { DecisionStream } from './decisions.ts'
import type { SimulatedNode } from './node.ts'
import type { SimulatedWorld } from './simulated-world.ts'

/** Milliseconds of a pause, of one that ends in a replacement, and of a step that takes long, by degree. */
const pauseMs = [50, 3000, 40_000]
const stallMs = [5, 400, 8000]
/** Milliseconds that the wall clock jumps, by degree. */
const jumpMs = [1500, -1500, 10_800_000, -10_800_000]

/** After a step: something may happen to the process of a node. */
export function hurtProcess(world: SimulatedWorld, node: SimulatedNode): void {
  const { rates } = world
  const drawn = (kind: 'crash' | 'pause' | 'replace' | 'stall' | 'clock', kinds = 1): number =>
    rates[kind] > 0 ? streamOf(world, kind, node).fault(rates[kind], kinds) : 0
  if (drawn('crash') > 0) {
    world.noteFault(node.name, 'crash')
    node.crash('killed')
    return
  }
  const pauses = drawn('pause', pauseMs.length)
  if (pauses > 0) {
    world.noteFault(node.name, 'pause')
    node.pause(pauseMs[pauses - 1] ?? 0)
  }
  const replaces = drawn('replace', pauseMs.length)
  if (replaces > 0) {
    world.noteFault(node.name, 'replaced while paused')
    node.replace(pauseMs[replaces - 1] ?? 0)
  }
  const stalls = drawn('stall', stallMs.length)
  if (stalls > 0) {
    world.noteFault(node.name, 'a step takes long')
    // Its event loop does nothing else meanwhile, and others go on.
    node.zone?.pause(stallMs[stalls - 1] ?? 0)
  }
  const jumps = drawn('clock', jumpMs.length + 2)
  if (jumps > 0) hurtClock(world, node, jumps)
}

const streamOf = ({ kernel }: SimulatedWorld, kind: string, { name }: SimulatedNode): DecisionStream =>
  kernel.decisions.stream(`${kind} ${name}`, 'fault')

function hurtClock(world: SimulatedWorld, { name, zone }: SimulatedNode, kind: number): void {
  if (zone === undefined) return
  const jump = jumpMs[kind - 1]
  world.noteFault(name, jump === undefined ? 'the clock drifts' : `the wall clock jumps by ${jump} ms`)
  if (jump !== undefined) zone.skewMs += jump
  else zone.drift(kind === jumpMs.length + 1 ? 1.1 : 0.9)
}
