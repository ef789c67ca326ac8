import type { AnyDefinition } from 'echelon'
import { createTestRuntime } from 'echelon/testing'
import { StateMachine } from 'xstate'
import { durableMachineHost } from '../../src/actors/durable/machine-host.ts'
import { durability } from '../../src/actors/durable/options.ts'
import { describeChartHost } from './chart-contract.ts'
import { startDurable } from './durable-runtime.ts'

const mayNot = (what: string): string => `an action may not ${what}: a replay, which runs none, would miss it`

describeChartHost({
  name: 'XState root',
  on: (definition) => definition,
  keepsState: false,
  start: () => createTestRuntime(),
  except: {},
})

describeChartHost({
  name: 'durable',
  on: <D extends AnyDefinition>(definition: D): D => {
    const { name, logic } = definition
    if (!(logic instanceof StateMachine)) throw new Error('the contract has charts only')
    return { ...definition, durable: durability(name, true), host: durableMachineHost(logic) }
  },
  keepsState: true,
  start: startDurable,
  except: {
    'given transitions for the signals, then they are taken': mayNot('watch'),
    'given no transition for actor.down, then * does not take it: the chart crashes with DEATH_PACT': mayNot('watch'),
    'given a child that a chart spawned, then it stops with it, and its crash is the chart’s': mayNot('spawn'),
    'given a tick of after that is due while a stop waits for children, then the chart may still take it, and not after its end':
      mayNot('spawn'),
    'given after, when the chart ends before, then nothing of it is left': 'its delays go on in the next incarnation',
  },
})
