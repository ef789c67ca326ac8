import { simulate, SimulationFailedError } from 'echelon/testing'
import { lostUpdate, fixed } from './scenario.ts'

const seeds = 300
try {
  await simulate(lostUpdate, { seeds, folder: 'reports/simcases', module: import.meta.resolve('./scenario.ts') })
} catch (error) {
  if (!(error instanceof SimulationFailedError)) throw error
  console.log(error.report)
}
const { worlds, faults } = await simulate(fixed, { seeds, folder: 'reports/simcases' })
console.log(`fixed: ${worlds} worlds, ${faults} faults, nothing broke`)
