/** Where a call wants to go: to the server that takes writes, to a replica, or to any server that may be read. */
export type Asked = 'primary' | 'replica' | 'any'

/** What one call wants. */
export interface Wish {
  readonly asked: Asked
  /** Endpoints that failed this very call, as `host:port`: they come last. */
  readonly avoid: ReadonlySet<string>
  /** Whether another server than the single writer will do as well. */
  readonly strays: boolean
}
