import * as z from 'zod'
import {
  child,
  defineActor,
  dynamicSupervisor,
  exits,
  message,
  supervisor,
  type AnyDefinition,
  type ChildSpec,
  type ExitReason,
} from 'echelon'
import type { ChildCase, ExitHow, StartResult, TreeCase, Worker } from './case.ts'
import type { TraceBook } from './trace-book.ts'

const reasons: Readonly<Record<Exclude<ExitHow, 'crash'>, ExitReason>> = {
  normal: exits.normal,
  shutdown: exits.shutdown(),
  'shutdown(x)': exits.shutdown('x'),
}

/** What a dynamic child is told about itself: below a dynamic supervisor all definitions are alike. */
const dynamicInputSchema = z.object({
  id: z.string(),
  under: z.string(),
  script: z.array(z.enum(['ok', 'fail', 'ignore'])).readonly(),
})
export type DynamicInput = z.infer<typeof dynamicInputSchema>

export const workerProtocol = {
  'worker.exit': message({ how: z.enum(['normal', 'shutdown', 'shutdown(x)', 'crash', 'kill']) }),
}

/** Makes Echelon's definitions of the tree of a case: real supervisors, and workers that do as the case says. */
export class Subject {
  readonly #book: TraceBook

  constructor(book: TraceBook) {
    this.#book = book
  }

  root(tree: TreeCase): AnyDefinition {
    return this.#observed(this.#tree(tree))
  }

  #tree(tree: TreeCase): AnyDefinition {
    const intensity = { restarts: tree.intensity, withinMs: tree.periodS * 1_000 }
    const { autoShutdown } = tree
    return tree.strategy === 'dynamic'
      ? dynamicSupervisor('supervisor', { child: this.spec(tree.child, tree.id, 'dynamic'), intensity, autoShutdown })
      : supervisor('supervisor', {
          strategy: tree.strategy,
          intensity,
          autoShutdown,
          children: tree.children.map((each) => this.spec(each, tree.id)),
        })
  }

  /** A child of the supervisor `under`. Throws what `child` throws. */
  spec({ id, restart, shutdown, significant, script, runs }: ChildCase, under: string, kind?: 'dynamic'): ChildSpec {
    const definition = typeof runs === 'object' ? this.#tree(runs) : this.#worker(runs)
    const start = ({ input }: { readonly input: unknown }): 'ignore' | void => {
      const told = kind === 'dynamic' ? dynamicInputSchema.parse(input) : { id, under, script }
      return this.#beforeStart(told, definition.type)
    }
    // A definition is data: this is the same one with a start function.
    const started = { ...definition, start } as AnyDefinition
    return child(this.#observed(started, script), {
      id: this.#book.segmentOf(id, under),
      restart,
      shutdown,
      significant,
    })
  }

  /** The host is the one place that sees each incarnation begin and end, as Erlang's oracle sees each process. */
  #observed(definition: AnyDefinition, script: readonly StartResult[] = []): AnyDefinition {
    const book = this.#book
    const { host } = definition
    return {
      ...definition,
      host: {
        ...host,
        start: (cell, previous) => {
          const dynamic = dynamicInputSchema.safeParse(cell.input)
          book.begin(cell, dynamic.success ? dynamic.data.script : script)
          host.start(cell, previous)
        },
        end: (cell, reason) => {
          book.end(cell, reason)
          host.end(cell, reason)
        },
      },
    }
  }

  /** Acts the script, as far as it says that nothing starts at all. Whether a worker fails is decided where its path is known. */
  #beforeStart({ id, under, script }: DynamicInput, type: 'worker' | 'supervisor'): 'ignore' | void {
    if (type === 'worker') {
      if (this.#book.nextResult(id, script) !== 'ignore') return undefined
    }
    const result = this.#book.attempt(id, script)
    if (result === 'ok') return undefined
    this.#book.add({
      owner: this.#book.ownerBelow(under),
      kind: result === 'fail' ? 'start_failed' : 'start_ignored',
      id,
      reason: '',
    })
    if (result === 'fail') throw new Error('nope')
    return 'ignore'
  }

  #worker(runs: Worker): AnyDefinition {
    const book = this.#book
    return defineActor({
      name: 'worker',
      protocol: workerProtocol,
      input: z.unknown(),
      state: () => book.beginning,
      on: {
        'worker.exit': ({ state, message: { how }, stop, self }) => {
          if (how === 'kill') {
            self.kill()
            return
          }
          book.say(state, 'exits', how)
          if (how === 'crash') throw new Error('boom')
          stop(reasons[how])
        },
        'actor.stopping': ({ state, message }) => {
          if (state.said !== undefined || !('reason' in message)) return undefined
          const { reason } = message
          if (runs === 'stubborn') {
            book.say(state, 'ignores_signal', book.describe(reason))
            return new Promise<never>(() => undefined)
          }
          book.say(state, 'stop', book.describe(reason))
          if (runs === 'failing') throw new Error('boom')
          return undefined
        },
      },
    })
  }
}
