import * as z from 'zod'
import {
  countChildren,
  defineActor,
  deleteChild,
  EchelonError,
  exits,
  message,
  restartChild,
  startChild,
  startDynamicChild,
  terminateChild,
  whichChildren,
  type ChildSpec,
  type Ref,
} from 'echelon'
import { createTestRuntime, type TestRuntime } from 'echelon/testing'
import type { AskStep, ExitStep, OtpCase, Step, TreeCase } from './case.ts'
import { Subject, type DynamicInput, type workerProtocol } from './subject.ts'
import { TraceBook } from './trace-book.ts'
import type { Entry, SupervisorState, Trace } from './trace.ts'

/** What Echelon does with the case: its real runtime, on virtual time, told step by step. */
export async function runCase(otpCase: OtpCase): Promise<Trace> {
  await using test = await createTestRuntime()
  return await new CaseRun(test).run(otpCase)
}

/** Does something in its turn: what was told to others before happens before it. */
const errand = defineActor({
  name: 'errand',
  protocol: { 'errand.do': message({ task: z.custom<() => void>() }) },
  state: () => undefined,
  on: {
    'errand.do': ({ message: { task } }) => {
      task()
    },
  },
})

/** What both kinds of supervisor understand. */
type AdminRef = Ref & Parameters<typeof startChild>[0] & Parameters<typeof startDynamicChild>[0]

class CaseRun {
  readonly #test: TestRuntime
  readonly #book: TraceBook
  readonly #subject: Subject
  readonly #errand: { tell(message: { type: 'errand.do'; task: () => void }): void }
  /** Milliseconds that steps asked to pass; what stubborn children made pass beside them does not add up. */
  #askedMs = 0

  constructor(test: TestRuntime) {
    this.#test = test
    this.#book = new TraceBook(test.clock)
    this.#subject = new Subject(this.#book)
    this.#errand = test.runtime.spawn(errand)
  }

  async run({ tree, steps }: OtpCase): Promise<Trace> {
    const entries = [await this.#entry(() => this.#start(tree))]
    for (const step of steps) entries.push(await this.#entry(() => this.#step(step)))
    return entries
  }

  async #entry(step: () => string | Promise<string>): Promise<Entry> {
    const answer = Promise.resolve(step())
    await this.#settle()
    const events = this.#book.take()
    return { answer: await answer, events, state: await this.#state() }
  }

  /** Nothing happens by itself any more, and nobody waits for a stubborn child. */
  async #settle(): Promise<void> {
    const { clock } = this.#test
    await this.#test.settle()
    while (this.#book.somebodyWaits && clock.nextDueMs !== undefined) {
      clock.advanceTo(clock.nextDueMs)
      await this.#test.settle()
    }
  }

  async #state(): Promise<readonly SupervisorState[]> {
    const answers = this.#book.livingSupervisors().map(async ({ id, cell }) => {
      const ref = cell.ref as unknown as AdminRef // it runs a supervisor
      const [children, counts] = await Promise.all([whichChildren(ref), countChildren(ref)])
      return {
        id,
        children: children.map((info) => [this.#book.idOf(info.id, cell), info.status] as const).reverse(),
        counts: [counts.specs, counts.active, counts.supervisors, counts.workers],
      }
    })
    await this.#test.settle()
    return await Promise.all(answers)
  }

  #start(tree: TreeCase): string {
    this.#book.place('/user/root', 'root', false)
    try {
      this.#test.runtime.spawn(this.#subject.root(tree), { name: 'root', restart: 'temporary' })
      return 'ok'
    } catch (error) {
      return this.#book.failureOf(error)
    }
  }

  #step(step: Step): string | Promise<string> {
    switch (step.do) {
      case 'exit':
      case 'kill':
        return this.#exit(step)
      case 'together':
        return this.#together(step)
      case 'advance':
        this.#askedMs += step.ms
        this.#test.clock.advanceTo(this.#askedMs)
        return 'ok'
      case 'stop': {
        const root = this.#book.living('root')
        void root?.stop({ reason: exits.shutdown() })
        return root === undefined ? 'skipped' : 'ok'
      }
      default:
        return this.#ask(step)
    }
  }

  #exit(step: ExitStep, inTurn = false): string {
    const ref = this.#book.living(step.id)
    if (ref === undefined) return 'skipped'
    // Steps that are not a plain kill mean workers, and these understand this protocol.
    const workerRef = ref as unknown as Ref<typeof workerProtocol>
    if (step.do === 'exit') workerRef.tell({ type: 'worker.exit', how: step.how })
    else if (inTurn) workerRef.tell({ type: 'worker.exit', how: 'kill' })
    else ref.kill()
    return 'ok'
  }

  /** The exits happen in the turns of the children, the questions are put in the next: all before the supervisor's. */
  #together({ supervisor: id, exits: ends, asks }: Step & { readonly do: 'together' }): string | Promise<string> {
    if (this.#book.living(id) === undefined) return 'skipped'
    const ended = ends.map((step) => this.#exit(step, true))
    const asked = new Promise<readonly string[]>((resolve) => {
      this.#errand.tell({ type: 'errand.do', task: () => resolve(Promise.all(asks.map((ask) => this.#ask(ask)))) })
    })
    return asked.then((answers) => [...ended, ...answers].join('+'))
  }

  async #ask(step: AskStep): Promise<string> {
    if (step.do === 'terminate_dynamic' && this.#book.living(step.id) === undefined) return 'skipped'
    // Supervisors under test understand what the supervisor of their kind does.
    const ref = this.#book.living(step.supervisor) as unknown as AdminRef | undefined
    if (ref === undefined) return 'noproc'
    try {
      return await this.#put(step, ref)
    } catch (error) {
      return refusals[error instanceof EchelonError ? error.code : ''] ?? String(error)
    }
  }

  #specOrNone({ child: given, supervisor: under }: AskStep & { readonly do: 'start_child' }): ChildSpec | undefined {
    try {
      return this.#subject.spec(given, under)
    } catch (error) {
      if (error instanceof EchelonError && error.code === 'CHILD_SPEC_INVALID') return undefined
      throw error
    }
  }

  async #put(step: AskStep, ref: AdminRef): Promise<string> {
    switch (step.do) {
      case 'start_child': {
        const spec = this.#specOrNone(step)
        if (spec === undefined) {
          // Refused before it was asked. Had it been asked, a supervisor that is gone would not have answered.
          await countChildren(ref)
          return 'bad_combination'
        }
        // One that is refused as present, or comes back, is known already.
        if (!step.child.id.startsWith(`${step.supervisor}.`))
          this.#book.place(`${ref.path}/${spec.id}`, step.child.id, false)
        const info = await startChild(ref, spec)
        return info.status === 'stopped' ? 'ignored' : 'ok'
      }
      case 'start_dynamic': {
        const { id, supervisor: under, script } = step
        this.#book.place(`${ref.path}/${id}`, id, true)
        const info = await startDynamicChild(ref, { id, input: { id, under, script } satisfies DynamicInput })
        return info.status === 'stopped' ? 'ignored' : 'ok'
      }
      case 'terminate_child':
        await terminateChild(ref, this.#book.segmentOf(step.id, step.supervisor))
        return 'ok'
      case 'terminate_dynamic':
        await terminateChild(ref, step.id)
        return 'ok'
      case 'restart_child': {
        const info = await restartChild(ref, this.#book.segmentOf(step.id, step.supervisor))
        return info.status === 'stopped' ? 'ignored' : 'ok'
      }
      case 'delete_child':
        await deleteChild(ref, this.#book.segmentOf(step.id, step.supervisor))
        return 'ok'
      case 'count_children': {
        const { specs, active, supervisors, workers } = await countChildren(ref)
        return [specs, active, supervisors, workers].join('/')
      }
      default:
        return step satisfies never
    }
  }
}

/** OTP's words for our codes. */
const refusals: Readonly<Record<string, string>> = {
  CHILD_ALREADY_STARTED: 'already_started',
  CHILD_ALREADY_PRESENT: 'already_present',
  CHILD_RUNNING: 'running',
  CHILD_RESTARTING: 'restarting',
  CHILD_NOT_FOUND: 'not_found',
  CHILD_START_FAILED: 'start_failed',
  CHILD_SPEC_INVALID: 'bad_combination',
  DYNAMIC_SUPERVISOR: 'simple_one_for_one',
  TARGET_DOWN: 'noproc',
}
