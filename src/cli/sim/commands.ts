import { InvalidArgumentError, Option, type Command } from 'commander'
import type { StrategyName } from '../../testing/simulation/strategy.ts'
import type { CommandHost } from '../host.ts'
import type { ReplayOptions } from './replay.ts'
import type { SimRunOptions } from './run.ts'
import type { ShrinkOptions } from './shrink.ts'
import type { UiOptions } from './ui.ts'

const strategies: readonly StrategyName[] = ['fifo', 'random', 'pct', 'procrastinate', 'sticky']

/**
 * Adds `echelon sim …`. `end` is told the exit code of the command that ran. What runs worlds is loaded by the command
 * that needs it: it is much, and it knows the globals of the process.
 */
export function addSimCommands(program: Command, host: CommandHost, end: (exitCode: number) => void): void {
  const group = program
    .command('sim')
    .description(
      'Look for what breaks a scenario, and look at what did. MODULE is a .ts or .js file that exports scenarios.',
    )
    .addHelpText('after', codes)

  const command = (usage: string, description: string, examples: readonly string[]): Command =>
    group
      .command(usage)
      .description(description)
      .option('--json', 'for programs: one JSON document, or JSON Lines where there are rows')
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  echelon sim ${line}\n`).join('')}${codes}`)

  command('run <module>', 'Run scenarios in many worlds. Exits with 1 when something breaks.', [
    'run test/shop.scenario.ts --seeds 5000',
    'run test/shop.scenario.ts --export payTwice --faults all',
    "run test/shop.scenario.ts --json | jq 'select(.ok | not).file'",
  ])
    .option('--export <name>', 'only the scenario that is exported by this name')
    .option('--seeds <n>', 'so many worlds of each scenario', positive, 100)
    .option('--seed <n>', 'the first seed', count, 1)
    .addOption(new Option('--faults <plan>', 'what fails').choices(['standard', 'none', 'all']).default('standard'))
    .addOption(new Option('--strategy <name>', 'the only order of things, instead of all').choices(strategies))
    .option('--strict', 'code may not use global time and chance, even virtual')
    .option('--folder <path>', 'where a failure is written to', 'simcases')
    .action(async (module: string, options: SimRunOptions) => {
      const { runScenarios } = await import('./run.ts')
      end(await runScenarios(module, host, options))
    })

  command(
    'replay <case> [module]',
    'Run the world of a case again, and show its steps. Exits with 1 when it still breaks.',
    [
      'replay simcases/shop-chargedOnce-17.simcase.json',
      'replay shop.simcase.json --diagram > shop.mmd',
      'replay shop.simcase.json --json | jq -r \'select(.type == "step").what\'',
    ],
  )
    .option('--diagram', "a sequence diagram in Mermaid's language instead of steps")
    .option('--last <n>', 'only so many of the last steps', count)
    .action(async (file: string, module: string | undefined, options: ReplayOptions) => {
      const { replayCase } = await import('./replay.ts')
      end(await replayCase(file, module, host, options))
    })

  command('shrink <case> [module]', 'Look for fewer decisions that break the same, and write them back.', [
    'shrink simcases/shop-chargedOnce-17.simcase.json --runs 20000',
  ])
    .option('--runs <n>', 'worlds that may be run for it', positive, 10_000)
    .action(async (file: string, module: string | undefined, options: ShrinkOptions) => {
      const { shrinkCase } = await import('./shrink.ts')
      end(await shrinkCase(file, module, host, options))
    })

  command('ui <case> [module]', 'Write a page with the timeline of a case, and say where it is.', [
    'ui simcases/shop-chargedOnce-17.simcase.json',
    'ui shop.simcase.json --out /tmp/shop.html',
  ])
    .option('--out <file>', 'the page; default: beside the case')
    .action(async (file: string, module: string | undefined, options: UiOptions) => {
      const { writeUi } = await import('./ui.ts')
      end(await writeUi(file, module, host, options))
    })
}

const codes = '\nExit codes: 0 nothing broke, 1 failed or something broke, 2 called in a way that makes no sense.'

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}

function positive(text: string): number {
  const n = count(text)
  if (n === 0) throw new InvalidArgumentError('It is 1 or more.')
  return n
}
