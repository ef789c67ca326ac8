import type { ScenarioName } from './scenarios.ts'

/** A bug as real systems have it, and what has to find it. The product has no switch for it: its text is replaced as it is loaded. */
export interface PlantedBug {
  readonly id: string
  /** What is wrong, in a sentence. */
  readonly what: string
  /** From the root of the repository. */
  readonly file: string
  /** Text of the file that is there exactly once. */
  readonly find: string
  readonly replace: string
  /** The scenario that has to come by it. */
  readonly scenario: ScenarioName
  /**
   * What may break first: promises of Echelon by their number (`I2`), checks of the scenario by their name, or `run` for
   * what its clients come by. Any of them says what is wrong.
   */
  readonly breaks: readonly string[]
  /** One of those that are looked for in the tests of every change. */
  readonly isQuick?: boolean
}

/** The environment variable that says which bug a process has, as JSON of `Replacement`. */
export const plantedVariable = 'ECHELON_PLANTED'

/** What the loader of a process does. */
export interface Replacement {
  /** URL of the file. */
  readonly url: string
  readonly find: string
  readonly replace: string
}

/** Under this name of `globalThis` the loader leaves the URL whose text it has replaced. */
export const plantedMark = 'echelonPlanted'

/** How often `part` is in `text`. */
export const occurrences = (text: string, part: string): number => text.split(part).length - 1
