import type { Reporter, TestModule } from 'vitest/node'

/** Says last, once per reason, what a run left out (`Program.orSkip`, or any skip that gives a reason). */
export default class LoudSkips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const reasons = new Set<string>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        if (result.state === 'skipped' && result.note !== undefined) reasons.add(result.note)
      }
    }
    for (const reason of reasons) process.stdout.write(`\nNOT RUN: ${reason}\n`)
  }
}
