import type { TraceLine } from './trace.ts'

/** Lines of a diagram at most: the last ones, which lead to what broke. */
const mostLines = 120

/** What is of no use to whoever looks for a mistake. */
export const isNoise = ({ what }: TraceLine): boolean => noise.has(what) || what.startsWith('wrote ')

const noise: ReadonlySet<string> = new Set(['spawned', 'started', 'is written', 'stopped: shutdown: passivated'])

/** Mermaid takes neither these in names nor semicolons in texts. */
const plain = (text: string): string =>
  text
    .replaceAll(/[;#{}<>]/g, ' ')
    .replaceAll('\n', ' ')
    .slice(0, 120)

/** `/durable/order/o-1` of `shop` is `shop/order/o-1`. */
const nameOf = (node: string, place: string): string =>
  plain(place.startsWith('/') ? `${node}${place.replace(/^\/(durable|user)(?=\/)/, '')}` : place)

/** A participant and an arrow for each line. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly text: string
  readonly isNote: boolean
}

export function arrowOf({ node, place, what }: TraceLine): Arrow {
  const handled = /^handled (\S+) from (\S+)$/.exec(what)
  if (handled !== null) {
    const from = handled[2] ?? 'outside'
    return {
      from: from === 'outside' ? 'clients' : nameOf(node, from),
      to: nameOf(node, place),
      text: handled[1] ?? '',
      isNote: false,
    }
  }
  if (node === 'driver' && /^(ask|tell|offer) /.test(what))
    return { from: 'clients', to: plain(place), text: plain(what), isNote: false }
  if (/^is (called|done)\b/.test(what))
    return {
      from: plain(node),
      to: plain(place.split('.')[0] ?? place),
      text: plain(`${place} ${what}`),
      isNote: false,
    }
  const at = ['process', 'disk', 'fault', 'note', 'violation'].includes(place) ? plain(node) : nameOf(node, place)
  return { from: at, to: at, text: plain(place === 'fault' ? `fault: ${what}` : what), isNote: true }
}

/** The end of a trace as a sequence diagram in Mermaid's language. */
export function sequenceDiagram(trace: readonly TraceLine[]): string {
  const lines = trace.filter((line) => !isNoise(line)).slice(-mostLines)
  const names = new Map<string, string>()
  const idOf = (name: string): string => {
    const id = names.get(name) ?? `p${names.size}`
    names.set(name, id)
    return id
  }
  const body = lines.map((line) => {
    const { from, to, text, isNote } = arrowOf(line)
    const at = `${Math.round(line.atMs * 10) / 10} ms`
    return isNote ? `  Note over ${idOf(from)}: ${text} (${at})` : `  ${idOf(from)}->>${idOf(to)}: ${text} (${at})`
  })
  const participants = [...names].map(([name, id]) => `  participant ${id} as ${name}`)
  return ['sequenceDiagram', ...participants, ...body].join('\n')
}
