/** What actors receive: data with a `type`. The type names a thing to do (`order.pay`) or a fact (`actor.down`). */
export interface Message {
  readonly type: string
}
