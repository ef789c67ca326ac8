/** What a test has a remote process do. */
export type Command =
  /** Tells the durable account `key` the number `n`. */
  | { readonly do: 'tell'; readonly key: string; readonly n: number; readonly filling?: string }
  /** Asks a durable account for its numbers, which writes nothing. */
  | { readonly do: 'read'; readonly key: string }
  /** Asks a durable purse to pay, which writes. */
  | { readonly do: 'pay'; readonly key: string }
  /** Asks an actor that is not durable. */
  | { readonly do: 'ping' }
  /** Begins to watch how late the event loop is; answers how late it was at most, in milliseconds, since the last time. */
  | { readonly do: 'lateness' }
  /**
   * Tells the account `key` one number after another, from `n` on, with pauses, until that fails. Answers the last one
   * that was acknowledged, and the code of the error.
   */
  | { readonly do: 'tell on'; readonly key: string; readonly n: number }
  | { readonly do: 'shut down' }

export type Request = Command & { readonly id: number }

/** What it answers. `code` of an error, and of the error behind it. */
export type Reply =
  | { readonly kind: 'up' }
  | { readonly kind: 'refused'; readonly code: string; readonly text: string; readonly ownerPid: number | undefined }
  | { readonly kind: 'value'; readonly id: number; readonly value: unknown; readonly ms: number }
  | {
      readonly kind: 'error'
      readonly id: number
      readonly code: string
      readonly cause: string
      readonly text: string
    }
  | { readonly kind: 'journal failed'; readonly code: string }
