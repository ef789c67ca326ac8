import { wrap } from 'echelon/testing'

/** Stands for a language model of somebody else: what it costs follows from the task. */
const client = {
  answer: (task: string): Promise<{ readonly text: string; readonly usd: number }> =>
    Promise.resolve({ text: `all about ${task}`, usd: task.length }),
}

/** In a simulated world its calls are late, refused or lost, as the world decides; elsewhere it is the client itself. */
export const model = wrap(client, { name: 'model' })
