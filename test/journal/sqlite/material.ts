import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export const temporaryFolder = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'echelon-journal-'))
