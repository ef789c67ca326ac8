/**
 * Preloaded (`--import`) into a process of the dependency review: lets it die at a chosen point, and writes down what it
 * examines. The program itself has no such switch: some of its imports are led through the files beside this one.
 */
import { registerHooks } from 'node:module'
import { isMainThread } from 'node:worker_threads'

/** Who imports what, and what it gets instead. */
const substitutes: readonly (readonly [importer: string, specifier: string, file: string])[] = [
  ['/dependency-review/resume/journal.ts', 'echelon/journal', './journal.ts'],
  ['/dependency-review/resume/journal.ts', 'node:fs/promises', './files.ts'],
  ['/dependency-review/report/write.ts', 'node:fs/promises', './files.ts'],
  ['/dependency-review/team/examiner.ts', '../examine/examine.ts', './examine.ts'],
]

if (isMainThread)
  registerHooks({
    resolve: (specifier, context, next) => {
      const found = substitutes.find(
        ([importer, wanted]) => context.parentURL?.endsWith(importer) === true && specifier === wanted,
      )
      return next(found === undefined ? specifier : new URL(found[2], import.meta.url).href, context)
    },
  })
