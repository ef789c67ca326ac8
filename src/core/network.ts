/**
 * The port for connections between nodes: frames over something like a WebSocket. Within one connection frames arrive
 * whole, once and in order, or not at all; what is lost with a connection is a suffix of what was sent.
 */

/** What one end of a connection is told. */
export interface ConnectionHandlers {
  /** The other end is there: what is sent from here on may arrive. */
  readonly opened?: () => void
  readonly received: (frame: Uint8Array) => void
  /** It is over; called once. 1006: it broke, and nobody said goodbye. Other codes as in RFC 6455, 7.4. */
  readonly closed: (end: { readonly code: number; readonly reason: string }) => void
}

/** One end of a connection. */
export interface Connection {
  /** Name of the other end, for people: it proves nothing. */
  readonly peer: string
  /** Bytes that were sent and have not left yet: what a sender bounds. */
  readonly bufferedBytes: number
  /** Queues a frame. After the end it does nothing. */
  send(frame: Uint8Array): void
  /** Says goodbye, once what was sent has left. */
  close(code?: number, reason?: string): void
  /** Ends it at once, here; the other end learns of it when it does. */
  terminate(): void
}

export interface Network {
  /**
   * Takes connections at an address. `accept` gives the handlers of its end.
   * @throws {DefinitionInvalidError} `DEFINITION_INVALID` when the address is taken.
   */
  listen(address: string, accept: (connection: Connection) => ConnectionHandlers): { close(): void }
  /** Begins a connection; `opened` or `closed` says what became of it. */
  connect(address: string, handlers: ConnectionHandlers): Connection
}
