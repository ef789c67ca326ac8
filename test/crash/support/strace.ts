import { Program } from '../../support/programs.ts'

/** What a person reads where system calls cannot be made to fail. */
export const straceMissing =
  'strace not installed: tests of failing disks skipped; install with: apt-get install strace'

export const strace = new Program('strace', straceMissing)
