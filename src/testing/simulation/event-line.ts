import type { RuntimeEvent } from '../../core/events.ts'
import { describeExit } from '../../core/exit.ts'

const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** An event as a line of a trace: nothing in it depends on the process. */
export function lineOf(event: RuntimeEvent): string {
  switch (event.type) {
    case 'handled':
      return `handled ${event.messageType} from ${event.from ?? 'outside'}`
    case 'failed':
      return `failed at ${event.messageType ?? 'start'}: ${errorText(event.error)}`
    case 'restarted':
      return `restarted by ${event.supervisor}: ${describeExit(event.reason)}`
    case 'stopped':
      return `stopped: ${describeExit(event.reason)}`
    case 'dead-letter':
      return `dead letter ${event.messageType}: ${event.reason}`
    case 'escalated':
      return `escalated from ${event.from} to ${event.to}`
    case 'in-doubt':
      return `in doubt: ${event.key}`
    case 'zombie-effect':
      return `zombie ${event.effect}`
    case 'observer-failed':
      return `observer failed: ${event.observer}: ${errorText(event.error)}`
    case 'journal-failed':
      return `journal failed: ${errorText(event.error)}`
    case 'recovered':
      return `recovered ${event.entries} entries after ${event.snapshotSeq}`
    default:
      return event.type
  }
}
