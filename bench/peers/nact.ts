/** The part of nact 7 that the benches use. Its own types are not there until the package is installed on demand. */

export interface NactRef {
  readonly name: string
}

export interface NactContext {
  readonly self: NactRef
  readonly sender: NactRef
}

export interface NactProperties<State> {
  readonly initialState?: State
  readonly initialStateFunc?: () => State
  readonly onCrash?: (message: unknown, error: unknown, context: { readonly reset: symbol }) => symbol
}

export interface Nact {
  start(): NactRef
  spawn<State, Message>(
    parent: NactRef,
    receive: (state: State, message: Message, context: NactContext) => State | Promise<State> | void,
    name?: string,
    properties?: NactProperties<State>,
  ): NactRef
  dispatch(to: NactRef, message: unknown, sender?: NactRef): void
  query(to: NactRef, message: (replyTo: NactRef) => unknown, timeoutMs: number): Promise<unknown>
  stop(actor: NactRef): void
}

export async function loadNact(): Promise<Nact> {
  const name: string = 'nact' // not a literal type: the compiler must not look for it
  return (await import(name)) as Nact // what 7.6.2 exports, see its README
}
