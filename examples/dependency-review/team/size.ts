/** Examiners of each concern: how many examinations of it go on at a time. */
export const EXAMINERS_PER_CONCERN = 4
