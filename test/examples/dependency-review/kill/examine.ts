import { examine as real } from '../../../../examples/dependency-review/examine/examine.ts'
import { note, pass } from './point.ts'

export const examine: typeof real = async (disk, concern, assignment) => {
  const { entry, copies } = assignment
  await pass('examine')
  note(`examine ${concern} ${copies.length > 0 ? entry.name : entry.path}`)
  return real(disk, concern, assignment)
}
