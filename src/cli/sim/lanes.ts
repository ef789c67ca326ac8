import { arrowOf, isNoise, type Arrow } from '../../testing/simulation/diagram.ts'
import type { TraceLine } from '../../testing/simulation/trace.ts'
import { escapeHtml } from './escape-html.ts'

/** Lanes of their own; whoever comes later shares one more. */
const mostLanes = 24
/** Pixels of one lane and of one step. */
const laneWidth = 18
const stepHeight = 26

export interface Lanes {
  readonly names: readonly string[]
  /** Which lane a participant has. */
  readonly of: (name: string) => number
}

/** A lane for each node, actor and service, in the order in which they come up; last those who have no part in it. */
export function lanesOf(trace: readonly TraceLine[]): Lanes {
  const ends = (line: TraceLine): readonly string[] => [arrowOf(line).from, arrowOf(line).to]
  const told = trace.filter((line) => !isNoise(line))
  const found = new Set([...told.flatMap(ends), ...trace.flatMap(ends)])
  const own = [...found].slice(0, mostLanes)
  const byName = new Map(own.map((name, lane) => [name, lane]))
  const others = found.size - own.length
  return {
    names: others === 0 ? own : [...own, `${others} others`],
    of: (name) => byName.get(name) ?? mostLanes,
  }
}

const middle = (lane: number): number => lane * laneWidth + laneWidth / 2

/** What a step is, for its colour and for those who look for it. */
function kindOf({ place, what }: TraceLine): 'fault' | 'violation' | 'crash' | 'plain' {
  if (place === 'fault') return 'fault'
  if (place === 'violation') return 'violation'
  if (place === 'process' && what.startsWith('crashes')) return 'crash'
  return 'plain'
}

/** The steps as items of a list: when, a part of the lanes, and what. */
export function timelineOf(trace: readonly TraceLine[], lanes: Lanes): string {
  return trace.map((line) => stepOf(line, lanes)).join('\n')
}

function stepOf(line: TraceLine, lanes: Lanes): string {
  const arrow = arrowOf(line)
  const [from, to] = [lanes.of(arrow.from), lanes.of(arrow.to)]
  const kind = kindOf(line)
  const classes = `${kind}${isNoise(line) ? ' noise' : ''}`
  const badge = kind === 'plain' ? '' : `<b>${kind}</b> `
  const at = (Math.round(line.atMs * 10) / 10).toFixed(1)
  const where = arrow.isNote ? arrow.to : `${arrow.from} → ${arrow.to}`
  return (
    `<li class="${classes}" tabindex="-1" data-from="${from}" data-to="${to}"><time>${at} ms</time>` +
    drawingOf(arrow, from, to, lanes.names.length) +
    `<span class="what">${badge}<span class="where c${to % 8}">${escapeHtml(where)}</span> ${escapeHtml(line.what)}</span></li>`
  )
}

/** The lanes beside one step, with a dot where it happens and an arrow from whoever sent it. */
function drawingOf({ isNote }: Arrow, from: number, to: number, lanes: number): string {
  const half = stepHeight / 2
  const verticals = Array.from({ length: lanes }, (_, lane) => `M${middle(lane)} 0V${stepHeight}`).join('')
  const line =
    isNote || from === to
      ? ''
      : `<path class="arrow c${to % 8}" d="M${middle(from)} ${half}H${middle(to)}"/><circle class="end c${from % 8}" cx="${middle(from)}" cy="${half}" r="2.5"/>`
  const width = lanes * laneWidth
  return (
    `<svg width="${width}" height="${stepHeight}" viewBox="0 0 ${width} ${stepHeight}" aria-hidden="true">` +
    `<path class="lane" d="${verticals}"/>${line}<circle class="dot c${to % 8}" cx="${middle(to)}" cy="${half}" r="5"/></svg>`
  )
}
