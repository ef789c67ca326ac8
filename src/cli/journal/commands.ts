import { InvalidArgumentError, type Command } from 'commander'
import type { Journal, JournalReader } from '../../core/journal.ts'
import type { CommandHost } from '../host.ts'
import { compact, compactDryRun, type CompactOptions } from './compact.ts'
import { doctor, type DoctorOptions } from './doctor.ts'
import { exportJournal, type ExportOptions } from './export.ts'
import { importJournal, type ImportOptions } from './import.ts'
import { list, type ListOptions } from './ls.ts'
import { journalHost, mustExist, sourceOf, withOpen } from './open.ts'
import { show, type ShowOptions } from './show.ts'
import { verify } from './verify.ts'

/** What every command takes. */
interface Common {
  readonly schema?: string
  readonly json?: boolean
}

/** Adds `echelon journal …`. `end` is told the exit code of the command that ran. */
export function addJournalCommands(program: Command, host: CommandHost, end: (exitCode: number) => void): void {
  const group = program
    .command('journal')
    .description('Look into a journal, check it, move it. JOURNAL is the path of a SQLite journal, or postgres://…')
    .addHelpText('after', codes)

  const command = (usage: string, description: string, examples: readonly string[]): Command =>
    group
      .command(usage)
      .description(description)
      .option('--json', 'for programs: one JSON document, or JSON Lines where there are rows')
      .option('--schema <name>', 'the schema of a Postgres database that has the journal')
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  echelon journal ${line}\n`).join('')}${codes}`)

  const open = async (journal: string, { schema }: Common): Promise<JournalReader> =>
    (await sourceOf(journal, schema)).openReadOnly(journalHost(host))
  const openForWriting = async (journal: string, { schema }: Common): Promise<Journal> =>
    (await sourceOf(journal, schema)).open(journalHost(host))

  command('ls <journal>', 'List the streams: entries, how many since the snapshot, age, and wake-up time.', [
    'ls app.db',
    'ls app.db --prefix /durable/order/ --due',
    "ls app.db --json | jq -r 'select(.sinceSnapshot > 1000).stream'",
  ])
    .option('--prefix <text>', 'only streams whose name begins with it')
    .option('--due', 'only streams that want to be woken by now')
    .option('--limit <n>', 'so many at most', count)
    .action(async (journal: string, options: ListOptions & Common) => {
      end(await withOpen(open(journal, options), (reader) => list(reader, host, options)))
    })

  command('show <journal> <stream>', 'Show what a stream says about its actor: its work, and its entries.', [
    'show app.db /durable/order/17',
    'show app.db order/17 --after 40 --follow',
    'show app.db order/17 --json | jq \'select(.kind == "outcome").body\'',
  ])
    .option('--after <seq>', 'only entries after this one', count)
    .option('--limit <n>', 'so many entries at most', count)
    .option('--follow', 'go on with what is written, until interrupted')
    .option('--snapshot', 'also the body of the snapshot')
    .option('--raw', 'bodies as the journal has them')
    .action(async (journal: string, stream: string, options: ShowOptions & Common) => {
      end(await withOpen(open(journal, options), (reader) => show(reader, host, stream, options)))
    })

  command('verify <journal>', 'Read everything and check it. Exits with 1 when something is wrong.', [
    'verify app.db',
    "verify app.db --json | jq '.problems[].where'",
  ]).action(async (journal: string, options: Common) => {
    end(await verify(() => open(journal, options), host, options))
  })

  command('compact <journal>', 'Remove what snapshots cover. Nobody else may be writing.', [
    'compact app.db --dry-run',
    'compact app.db --stream order/17',
  ])
    .option('--stream <name>', 'only this stream')
    .option('--dry-run', 'only say how many entries would go')
    .action(async (journal: string, options: CompactOptions & Common & { readonly dryRun?: boolean }) => {
      mustExist(journal)
      if (options.dryRun === true)
        end(await withOpen(open(journal, options), (reader) => compactDryRun(reader, host, options)))
      else end(await withOpen(openForWriting(journal, options), (opened) => compact(opened, host, options)))
    })

  command('export <journal>', 'Write streams to the standard output, as JSON Lines that import takes.', [
    'export app.db > app.jsonl',
    'export app.db --prefix /durable/order/ | gzip > orders.jsonl.gz',
  ])
    .option('--stream <name>', 'only this stream')
    .option('--prefix <text>', 'only streams whose name begins with it')
    .action(async (journal: string, options: ExportOptions & Common) => {
      end(await withOpen(open(journal, options), (reader) => exportJournal(reader, host, options)))
    })

  command(
    'import <file> <journal>',
    'Bring the streams of an export into a journal, which is made when it is not there.',
    ['import app.jsonl new.db', 'import app.jsonl postgres://app@db.example/app --skip-existing'],
  )
    .option('--skip-existing', 'leave streams that are there as they are, instead of giving up')
    .action(async (file: string, journal: string, options: ImportOptions & Common) => {
      end(await importJournal(file, () => openForWriting(journal, options), host, options))
    })

  command('doctor <journal>', 'Say how a journal is, and what to do about it. Exits with 1 for a problem.', [
    'doctor app.db',
    "doctor app.db --json | jq -r '.findings[].code'",
  ])
    .option('--examine <n>', 'look into so many streams at most', count, 10_000)
    .action(async (journal: string, options: DoctorOptions & Common) => {
      end(await doctor(() => open(journal, options), host, options))
    })
}

const codes = '\nExit codes: 0 fine, 1 failed or a problem found, 2 called in a way that makes no sense.'

function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}
