/** A promise that its owner settles: the one place outside `runtime/scope.ts` where a bare promise is made. */
export interface Gate<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** A {@link Gate} whose rejection is nobody's accident: it counts as handled even before somebody waits. */
export function gate<T = void>(): Gate<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
