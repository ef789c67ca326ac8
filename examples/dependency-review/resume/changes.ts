import { isDeepStrictEqual } from 'node:util'

import type { Disk } from '../disk.ts'
import type { Survey } from '../team/protocols.ts'
import { quote } from '../text.ts'

/** The time of a change can be this much before what the clock said at that moment: file systems count in ticks. */
export const TICK_MS = 10

/** Packages that are looked at together. */
const AT_ONCE = 16

/**
 * What has changed in a project since it was surveyed at `sinceMs`, as the end of a sentence; null when nothing has, and
 * what was found then would be found now. `now`: a survey of today. Costs a look at every file, and no reading.
 */
export async function changeSince(disk: Disk, then: Survey, now: Survey, sinceMs: number): Promise<string | null> {
  if (!isDeepStrictEqual(now, then)) return 'package.json, the lockfile or what is installed has changed since'
  const paths = then.kind === 'refused' ? [] : then.inventory.entries.map((entry) => entry.path)
  for (let at = 0; at < paths.length; at += AT_ONCE) {
    const some = paths.slice(at, at + AT_ONCE)
    const changes = await Promise.all(some.map((path) => disk.changedSince(path, sinceMs - TICK_MS)))
    const changed = changes.find((path) => path !== null)
    if (changed !== undefined) return `${quote(changed, 500)} has changed since`
  }
  return null
}
