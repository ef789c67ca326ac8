/**
 * Loaded before a program of the mutation check (`node --import`): replaces one text of one source file as it is loaded.
 * Which, an environment variable says, that nothing else reads.
 */
import { registerHooks } from 'node:module'
import { occurrences, plantedMark, plantedVariable, type Replacement } from './bug.ts'

const given = process.env[plantedVariable]
// Only the program of the mutation check sets it.
if (given !== undefined && given !== '') plant(JSON.parse(given) as Replacement)

function plant({ url: wanted, find, replace }: Replacement): void {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (url !== wanted) return loaded
      const { source = '' } = loaded
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source)
      if (occurrences(text, find) !== 1) throw new Error(`the text to replace is not once in ${url}`)
      Reflect.set(globalThis, plantedMark, url)
      return { ...loaded, source: text.replace(find, () => replace) }
    },
  })
}
