import { JournalCorruptError } from '../../core/journal-errors.ts'
import type { JournalReader } from '../../core/journal.ts'
import { agoText, bytesText, counted, jsonLine, printable, spanText, table } from '../format.ts'
import { exitCodes, type CommandHost } from '../host.ts'
import { withOpen } from './open.ts'
import { longTail, survey, type Group, type Survey } from './survey.ts'

export interface DoctorOptions {
  /** Streams that are looked into at most. */
  readonly examine: number
  readonly json?: boolean
}

/** `problem`: somebody has to do something. `note`: good to know. `code` is stable, for programs. */
interface Finding {
  readonly level: 'problem' | 'note'
  readonly code: string
  readonly text: string
  readonly advice: string
}

/** `echelon journal doctor`: everything that whoever runs a journal wants to know about it, with advice. */
export async function doctor(
  open: () => Promise<JournalReader>,
  host: CommandHost,
  { examine, json = false }: DoctorOptions,
): Promise<number> {
  const { out, clock } = host
  const nowMs = clock.wallNow()
  let found: Survey | undefined
  let findings: readonly Finding[]
  try {
    found = await withOpen(open(), (reader) => survey(reader, host, examine))
    findings = findingsOf(found, nowMs)
  } catch (error) {
    if (!(error instanceof JournalCorruptError)) throw error
    findings = [
      { level: 'problem', code: 'damaged', text: error.message, advice: 'Keep a copy of what is there first.' },
    ]
  }
  if (json) await out.write(jsonLine({ ...(found === undefined ? {} : rowOf(found)), findings }))
  else {
    if (found !== undefined) await out.write(`${factsText(found, nowMs)}\n`)
    for (const { level, text, advice } of findings) {
      const mark = level === 'problem' ? out.colour('red', 'Problem') : out.colour('yellow', 'Note')
      await out.write(`${mark}: ${text}\n  ${advice}\n`)
    }
    if (findings.length === 0) await out.write(`${out.colour('green', 'All is well.')}\n`)
  }
  return findings.some(({ level }) => level === 'problem') ? exitCodes.problem : exitCodes.ok
}

const leastFreeBytes = 100e6
const largeWalBytes = 256e6
/** Milliseconds after which a living writer should have woken who is due. */
const slowMs = 60_000

/** What there is to say about a journal, problems first. Pure. */
function findingsOf(found: Survey, nowMs: number): readonly Finding[] {
  const { file, isWriterAlive, inDoubt, overdue, unfinished, longTails, foreign, streams, examined } = found
  const findings: Finding[] = []
  const problem = (code: string, text: string, advice: string): unknown =>
    findings.push({ level: 'problem', code, text, advice })
  const note = (code: string, text: string, advice: string): unknown =>
    findings.push({ level: 'note', code, text, advice })
  const of = ({ count, oldestAtMs, some }: Group, what: string): string => {
    const names = `${some.slice(0, 3).map(printable).join(', ')}${count > 3 ? ', …' : ''}`
    return `${counted(count, 'stream')} ${what.replace('AGE', spanText(nowMs - (oldestAtMs ?? nowMs)))}: ${names}.`
  }

  if (file !== undefined && file.freeBytes < leastFreeBytes)
    problem(
      'disk-full',
      `${bytesText(file.freeBytes)} are free on its disk.`,
      'Free some: appends are refused without.',
    )
  const [doubt] = inDoubt.some
  if (doubt !== undefined) {
    const which = `'${printable(doubt.key)}' of ${printable(doubt.stream)}, which began ${agoText(doubt.atMs, nowMs)}`
    const text = `${counted(inDoubt.count, 'effect')} with an intent and no outcome, such as ${which}.`
    if (isWriterAlive === true) note('effects-open', text, 'They run now, or wait in runtime.inDoubt of its writer.')
    else problem('effects-in-doubt', text, "Nobody knows whether they ran: 'echelon journal show' says what to do.")
  }
  if (overdue.count > 0) {
    const text = of(overdue, 'with a timer that is due, the oldest for AGE')
    if (isWriterAlive !== true) note('timers-due', text, 'They tick when the program runs.')
    else if (nowMs - (overdue.oldestAtMs ?? nowMs) >= slowMs)
      problem(
        'timers-overdue',
        text,
        'Its writer does not wake them: it does not know their definition, or they failed.',
      )
  }
  if (unfinished.count > 0)
    note(
      'unfinished',
      of(unfinished, 'with messages that are not handled, the oldest for AGE'),
      'They go on when a program runs that has their definitions. If one does: did they fail?',
    )
  if (isWriterAlive === false)
    note('writer-gone', 'Its last writer ended without closing it.', 'Nothing needs to be done: the next takes over.')
  if (longTails.count > 0)
    note(
      'long-tails',
      of(longTails, `with ${longTail} entries or more since the snapshot`),
      'They take long to bring back: lower durable.snapshotEvery, or see why they take no snapshot.',
    )
  if (file !== undefined && file.walBytes >= largeWalBytes)
    note('large-wal', `Its log has ${bytesText(file.walBytes)}.`, 'A reader that stays open keeps it from shrinking.')
  if (foreign.count > 0)
    note('foreign', of(foreign, 'that no actor of this version wrote'), 'The program that wrote them can read them.')
  if (examined < streams)
    note('not-examined', `${examined} of ${streams} streams were looked into.`, 'See more with --examine.')
  return findings.sort((a, b) => Number(b.level === 'problem') - Number(a.level === 'problem'))
}

function factsText(found: Survey, nowMs: number): string {
  const { info, file, streams, definitions } = found
  const disk = file === undefined ? '' : `, its log ${bytesText(file.walBytes)}, free ${bytesText(file.freeBytes)}`
  return table([
    ['Journal', `${info.location} (${info.kind}, format ${info.formatVersion})`],
    ['Size', `${bytesText(info.bytes)}${disk}`],
    ['Content', `${counted(streams, 'stream')}, ${counted(info.entries, 'entry', 'entries')}`],
    ['Writer', writerText(found, nowMs)],
    ...definitions.map(({ definition, streams: count, versions }, index) => {
      return [
        index === 0 ? 'Actors' : '',
        `${printable(definition)} v${versions.join(', v')}: ${counted(count, 'stream')}`,
      ]
    }),
  ])
}

function writerText({ info: { writer }, isWriterAlive }: Survey, nowMs: number): string {
  if (writer === undefined) return 'nobody'
  const { pid, host, node } = writer.owner
  const elsewhere = `on another machine, its lease ${writer.expiresAtMs > nowMs ? 'lasts' : 'has expired'}`
  const state = isWriterAlive === undefined ? elsewhere : isWriterAlive ? 'running' : 'gone'
  return `process ${pid} on ${printable(host)}, node '${printable(node)}', epoch ${writer.epoch}: ${state}`
}

function rowOf({ info, file, isWriterAlive, ...rest }: Survey): object {
  const { writer, kind, location, formatVersion, entries, bytes } = info
  return {
    ...{ kind, location, formatVersion, bytes, entries },
    ...{ walBytes: file?.walBytes ?? null, freeBytes: file?.freeBytes ?? null },
    writer: writer === undefined ? null : { ...writer.owner, epoch: writer.epoch, isAlive: isWriterAlive ?? null },
    ...rest,
  }
}
