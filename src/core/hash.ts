import { createHash } from 'node:crypto'

/** SHA-256 of a text, the first 128 bits in hexadecimal: a name for it that nobody else gets by chance. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)
