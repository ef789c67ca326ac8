import type { Arbitrary, Random, Stream, Value } from 'fast-check'
import { DefinitionInvalidError } from '../../core/errors.ts'
import { fastCheck } from '../fast-check.ts'

/** What a filter says of one value: that it passes, or why not. */
export interface Verdict {
  readonly passes: boolean
  readonly because?: unknown
}

interface Bounds<T> {
  readonly judge: (value: T) => Verdict
  /** Names the place in errors. */
  readonly where: string
  readonly maxTries: number
}

/**
 * `source.filter(...)` that gives up: fast-check's own looks for a value for ever. Shrunk values pass the filter, too.
 * Drawing throws {DefinitionInvalidError} `DEFINITION_INVALID` when `maxTries` values in a row were refused.
 */
export function filtered<T>(source: Arbitrary<T>, { judge, where, maxTries }: Bounds<T>): Arbitrary<T> {
  const fc = fastCheck()
  class Filtered extends fc.Arbitrary<T> {
    generate(random: Random, bias: number | undefined): Value<T> {
      let because: unknown
      for (let tries = 0; tries < maxTries; tries += 1) {
        // A bias towards small values may be what keeps all of them from passing.
        const drawn = source.generate(random, tries < maxTries / 2 ? bias : undefined)
        const verdict = judge(drawn.value)
        if (verdict.passes) return drawn
        because = verdict.because ?? because
      }
      throw new DefinitionInvalidError(
        where,
        `${maxTries} values in a row were refused${because === undefined ? '' : ` (${describe(because)})`}: give an arbitrary for it in overrides`,
        { cause: because },
      )
    }

    canShrinkWithoutContext(value: unknown): value is T {
      return source.canShrinkWithoutContext(value) && judge(value).passes
    }

    shrink(value: T, context: unknown): Stream<Value<T>> {
      const smaller = source.shrink(value, context)
      // What is refused looks to fast-check as if it had been tried: from then on it looks above it only. So numbers and
      // texts begin anew when there is nothing left.
      const isAnew = context !== undefined && typeof value !== 'object' && source.canShrinkWithoutContext(value)
      const all = isAnew ? smaller.join(source.shrink(value, undefined)) : smaller
      return all.filter((each) => judge(each.value).passes)
    }
  }
  return new Filtered()
}

/** As `source`, but a value shrinks to those that `simpler` names before all others. */
export function shrinkingTo<T>(source: Arbitrary<T>, simpler: (value: T) => readonly T[]): Arbitrary<T> {
  const fc = fastCheck()
  class Simpler extends fc.Arbitrary<T> {
    generate(random: Random, bias: number | undefined): Value<T> {
      return source.generate(random, bias)
    }

    canShrinkWithoutContext(value: unknown): value is T {
      return source.canShrinkWithoutContext(value)
    }

    shrink(value: T, context: unknown): Stream<Value<T>> {
      const first = simpler(value).filter((each) => source.canShrinkWithoutContext(each))
      return fc.Stream.of(...first.map((each) => new fc.Value(each, undefined))).join(source.shrink(value, context))
    }
  }
  return new Simpler()
}

const describe = (because: unknown): string => (because instanceof Error ? because.message : String(because))
