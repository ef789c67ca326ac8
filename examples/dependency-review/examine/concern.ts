/** What a review looks at: one tactical coordinator each. */
export const concerns = ['licences', 'install-scripts', 'maintenance-and-size', 'duplicate-versions'] as const
export type Concern = (typeof concerns)[number]
