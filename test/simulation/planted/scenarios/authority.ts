import { child, defineActor, operational, question, strategic, tactical, type Authority, type Risk } from 'echelon'
import * as z from 'zod'
import { perWorld, wrap } from '../../../../src/testing/simulation/calls.ts'
import { faults } from '../../../../src/testing/simulation/faults.ts'
import type { PlantedWorld } from '../planted-world.ts'

const top = '/user/top'
const mid = `${top}/mid`
const low = `${mid}/low`
const ranks: Readonly<Record<Risk | 'none', number>> = { none: 0, low: 1, medium: 2, high: 3 }

/** What each tier may, from the bottom up. */
const tiers: readonly (readonly [string, Required<Pick<Authority, 'spendUsd' | 'risk'>>])[] = [
  [low, { spendUsd: 4, risk: 'low' }],
  [mid, { spendUsd: 7, risk: 'medium' }],
  [top, { spendUsd: 9, risk: 'high' }],
]

class Model {
  /** US dollars that each tier, or one below it, has granted. */
  readonly granted = new Map<string, number>()
  problem: string | undefined

  /** `by`: who granted, a tier or the clerk itself. */
  grants(by: string, usd: number, risk: Risk): void {
    const from = tiers.findIndex(([path]) => by.startsWith(path))
    const [path, authority] = tiers[from] ?? ['', { spendUsd: 0, risk: 'none' }]
    if (ranks[risk] > ranks[authority.risk]) this.problem ??= `${path} took a risk that is ${risk}`
    for (const [above, { spendUsd }] of tiers.slice(from)) {
      const sum = (this.granted.get(above) ?? 0) + usd
      this.granted.set(above, sum)
      if (sum > spendUsd) this.problem ??= `${sum} were granted of the ${spendUsd} of ${above}`
    }
  }
}

const model = perWorld(() => new Model())

const riskSchema = z.enum(['low', 'medium', 'high'])
const clerk = defineActor({
  name: 'clerk',
  reentrant: true,
  protocol: { 'clerk.buy': question({ usd: z.number(), risk: riskSchema }, z.boolean()) },
  state: () => undefined,
  on: {
    'clerk.buy': async ({ message: { usd, risk }, escalate, reply }) => {
      const options = ['yes', 'no'] as const
      const terms = { action: 'buy', options, choice: 'yes', defaultChoice: 'no', deadlineMs: 2000 } as const
      const { choice, by } = await escalate({ ...terms, spendUsd: usd, risk })
      if (choice === 'yes') model.current.grants(by, usd, risk)
      reply(choice === 'yes')
    },
  },
})

/** Somebody to be asked, who says yes to what costs an even sum. */
const board = wrap({ approves: (usd: number): Promise<boolean> => Promise.resolve(usd % 2 === 0) }, { name: 'board' })

const decide = async ({ request }: { readonly request: { readonly spendUsd?: number } }): Promise<'yes' | undefined> =>
  (await board.approves(request.spendUsd ?? 0)) ? 'yes' : undefined

const [lowMay, midMay, topMay] = [tiers[0]?.[1] ?? {}, tiers[1]?.[1] ?? {}, tiers[2]?.[1] ?? {}]
const tree = strategic('top', {
  authority: topMay,
  decide,
  children: [
    child(
      tactical('mid', {
        authority: midMay,
        decide,
        children: [child(clerk, { id: 'b' }), child(operational('low', { authority: lowMay, children: [clerk] }))],
      }),
    ),
  ],
})

/** Clerks of two tiers buy at the same time: nobody takes more money or risk than is theirs, and none is lost on the way. */
export const authorityWorld: PlantedWorld = {
  scenario: {
    name: 'authority',
    nodes: { node: { journal: false } },
    run: async (world) => {
      const node = world.node('node')
      node.spawn(tree, { name: 'top' })
      const asked: Promise<unknown>[] = []
      const buy = (path: string, usd: number, risk: Risk): Promise<boolean> =>
        node.at(path, clerk).ask({ type: 'clerk.buy', usd, risk })
      for (let round = 1; round <= 6; round += 1) {
        const what = world.choose(3, `round ${round}`)
        const path = what === 1 ? `${low}/clerk` : `${mid}/b`
        const usd = world.integer(1, 4, `usd ${round}`)
        if (what > 0) asked.push(buy(path, usd, world.pick(['low', 'medium', 'high'] as const, `risk ${round}`)))
        if (world.choose(2, `wait ${round}`) === 1) await world.sleep(15)
      }
      await Promise.all(asked)
      await world.sleep(5000)
      const { current } = model
      // What nobody has spent may still be.
      const left = Math.min(...tiers.map(([path, { spendUsd }]) => spendUsd - (current.granted.get(path) ?? 0)))
      const isGranted = left <= 0 || (await buy(`${low}/clerk`, left, 'low'))
      if (!isGranted) current.problem ??= `${left} are left, and are not granted`
    },
    always: function nobodyExceedsAuthority() {
      return model.current.problem
    },
  },
  faults: faults.none(),
}
