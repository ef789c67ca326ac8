import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { EndedError, exitCodes, UsageError, type CommandHost } from './host.ts'
import { addJournalCommands } from './journal/commands.ts'
import { addSimCommands } from './sim/commands.ts'

/** Runs a command line, without the names of Node and of the program, and answers its exit code. Never rejects. */
export async function run(args: readonly string[], host: CommandHost): Promise<number> {
  const { out } = host
  let code: number = exitCodes.ok
  const program = new Command('echelon')
    .description('Tools for what Echelon runs and keeps.')
    .version(version(), '-v, --version')
    .exitOverride()
    .configureOutput({
      // What is little is only gathered.
      writeOut: (text) => void out.write(text),
      writeErr: (text) => {
        out.note(text.trimEnd())
      },
    })
  const end = (exitCode: number): void => {
    code = exitCode
  }
  addJournalCommands(program, host, end)
  addSimCommands(program, host, end)
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    code = failed(error, host)
  }
  try {
    out.progress('')
    await out.flush()
    return code
  } catch (error) {
    return failed(error, host)
  }
}

/** What else there is to say about an error that a command line can do something about. */
const hints: Readonly<Record<string, string>> = {
  JOURNAL_CONFLICT: '\nThe stream is there already: --skip-existing leaves such streams as they are.',
}

/** Says why a command failed, and answers its exit code. */
function failed(error: unknown, { out, signal }: CommandHost): number {
  out.progress('')
  const ended: unknown = signal.aborted ? signal.reason : error
  if (ended instanceof EndedError) return ended.exitCode
  // Commander has said it.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  if (error instanceof UsageError) {
    out.note(`error: ${error.message}`)
    return exitCodes.usage
  }
  const isExpected = error instanceof Error && 'code' in error
  if (isExpected) out.note(`error: ${error.message} [${String(error.code)}]${hints[String(error.code)] ?? ''}`)
  else out.note(`error: ${error instanceof Error ? String(error.stack) : String(error)}`)
  return exitCodes.problem
}

/** Two folders up, in the source as in the build. */
function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version // our own package.json
}
