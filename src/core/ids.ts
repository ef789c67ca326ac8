/** Identifiers, branded so that one kind is never passed for another. */

declare const brand: unique symbol
type Branded<Value, Brand extends string> = Value & { readonly [brand]: Brand }

/** Absolute address of an actor in its node: `/review/licences/readers-3`. Stable over restarts. */
export type ActorPath = Branded<string, 'ActorPath'>

/** Name of a node: one runtime among those that talk to each other. */
export type NodeName = Branded<string, 'NodeName'>

/** Identity of one runtime in this process; events carry it, so that several runtimes share one stream. */
export type RuntimeId = Branded<string, 'RuntimeId'>

const segmentPattern = /^[A-Za-z0-9_.:@$~+-]{1,200}$/

/** Whether `name` can be one segment of a path: 1 to 200 of `A-Z a-z 0-9 _ . : @ $ ~ + -`. */
export const isSegment = (name: string): boolean => segmentPattern.test(name)

// The three constructors below are the only places that brand a string: callers have validated or composed it.
export const actorPath = (path: string): ActorPath => path as ActorPath
export const nodeName = (name: string): NodeName => name as NodeName
export const runtimeId = (id: string): RuntimeId => id as RuntimeId
