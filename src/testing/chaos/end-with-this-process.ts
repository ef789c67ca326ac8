import type { ChildProcess } from 'node:child_process'

const children = new Set<ChildProcess>()

function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

/** Kills `child` when this process exits before the function that this returns has been called: a test that fails leaves nothing behind. */
export function endWithThisProcess(child: ChildProcess): () => void {
  if (children.size === 0) process.on('exit', killAll)
  children.add(child)
  return () => {
    if (children.delete(child) && children.size === 0) process.off('exit', killAll)
  }
}
