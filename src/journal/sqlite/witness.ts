/* eslint-disable no-restricted-imports -- this adapter is the edge: the witness is a file */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/**
 * How far the journal was acknowledged, in a small file beside it: `<journal>-head`.
 *
 * SQLite ends its log at the first frame that is damaged, as it must after a crash in the middle of a write. So one
 * flipped bit in the log makes every later commit vanish without a word. The witness tells the two apart: a log that
 * ends before what was acknowledged is damaged. It is written after each commit and before its acknowledgement, not
 * synced, and only ever believed in that direction: one that is missing, damaged or behind says nothing.
 *
 * Two slots are written in turn, so that one that is half written leaves the one before it.
 */
const slotBytes = 20
const slots = 2

const witnessOf = (file: string): string => `${file}-head`

/** The last position that was acknowledged, as far as the witness knows; 0 when it knows nothing. */
export function readWitness(file: string): number {
  const content = Buffer.alloc(slotBytes * slots)
  let fd: number
  try {
    fd = openSync(witnessOf(file), constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return 0
  }
  try {
    readSync(fd, content, 0, content.length, 0)
  } finally {
    closeSync(fd)
  }
  const positions = [0, slotBytes].map((at) => {
    const slot = content.subarray(at, at + slotBytes)
    return crc32(slot.subarray(4), slotSeed) === slot.readUInt32LE(0) ? slot.readDoubleLE(4) : 0
  })
  return Math.max(...positions)
}

/** Not 0: a slot of zeros is none. */
const slotSeed = 1

export class Witness {
  readonly #fd: number
  readonly #slot = Buffer.alloc(slotBytes)
  #turn = 0

  constructor(file: string) {
    this.#fd = openSync(witnessOf(file), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  }

  write(position: number, epoch: number): void {
    this.#slot.writeDoubleLE(position, 4)
    this.#slot.writeDoubleLE(epoch, 12)
    this.#slot.writeUInt32LE(crc32(this.#slot.subarray(4), slotSeed), 0)
    this.#turn = (this.#turn + 1) % slots
    try {
      writeSync(this.#fd, this.#slot, 0, slotBytes, this.#turn * slotBytes)
    } catch {
      // What was acknowledged is on disk all the same: it has one witness less.
    }
  }

  close(): void {
    closeSync(this.#fd)
  }
}
