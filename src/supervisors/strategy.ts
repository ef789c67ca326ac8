/** Who shares the fate of a child that has to be restarted. OTP's words. */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one'

/** When a supervisor ends because its significant children have. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant'

export const strategies: readonly Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one']
export const autoShutdowns: readonly AutoShutdown[] = ['never', 'any_significant', 'all_significant']

/** Of the children in start order, those that stop (last first) and start again (in order) when `failed` does. */
export const sharesFate: Readonly<
  Record<Strategy, <Child>(children: readonly Child[], failed: Child) => readonly Child[]>
> = {
  one_for_one: (_, failed) => [failed],
  one_for_all: (children) => children,
  rest_for_one: (children, failed) => children.slice(children.indexOf(failed)),
}
