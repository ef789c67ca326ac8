import { openSync, readFileSync, writevSync } from 'node:fs'

/** What the workload writes down. */
export type Note =
  | { readonly kind: 'begun'; readonly name: string }
  | { readonly kind: 'acknowledged'; readonly name: string; readonly value: string }
  | { readonly kind: 'refused'; readonly name: string; readonly code: string }
  | { readonly kind: 'gave up'; readonly code: string }
  | { readonly kind: 'journal failed'; readonly code: string }

/**
 * A file of notes outside of the journal. Written by a system call that nothing else uses here, so that a trace shows
 * notes and failing calls in one order, and no fault hits them.
 */
export class Notebook {
  readonly #fd: number

  constructor(file: string) {
    this.#fd = openSync(file, 'a')
  }

  write(note: Note): void {
    writevSync(this.#fd, [Buffer.from(JSON.stringify(note)), Buffer.from('\n')])
  }
}

export function notesIn(file: string): readonly Note[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Note) // what a notebook wrote
}
