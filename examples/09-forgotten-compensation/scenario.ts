import { defineScenario, type Scenario } from 'echelon/testing'
import { trip } from './actors.ts'
import { books } from './agencies.ts'
import { trip as fixedTrip } from './fixed.ts'

/** Somebody books a trip, of which a part may be sold out. */
const booking = (name: string, definition: typeof trip): Scenario =>
  defineScenario({
    name,
    nodes: { desk: [definition] },
    run: async (world) => {
      books.current.soldOut = world.pick([undefined, 'flight', 'hotel', 'car'])
      const ref = world.get(definition, 'to-lisbon')
      await world.retrying(() => ref.tell({ type: 'trip.book' }, { durable: true, id: 'book' }))
      await world.sleep(3_600_000)
    },
    eventually: function allPartsOrNone() {
      const { booked } = books.current
      return booked.length === 0 || booked.length === 3 || `booked in the end: ${booked.join(', ')}`
    },
    sometimes: {
      'a whole trip is booked': () => books.current.booked.length === 3,
      'a part is sold out': () => books.current.soldOut !== undefined,
    },
  })

export const forgottenCompensation = booking('forgotten-compensation', trip)
export const fixed = booking('forgotten-compensation-fixed', fixedTrip)
