/** A promise that its owner settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** Makes a {@link Deferred} whose rejection counts as handled even before it is awaited. */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}

/** Makes a {@link Deferred} that also rejects with the signal's reason. It removes its listener when it settles. */
export function deferredUntil<T>(signal: AbortSignal): Deferred<T> {
  let settle!: Omit<Deferred<T>, 'promise'>
  const promise = new Promise<T>((yes, no) => {
    const unlink = (): void => signal.removeEventListener('abort', onAbort)
    const onAbort = (): void => no(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    settle = {
      resolve: (value) => {
        unlink()
        yes(value)
      },
      reject: (error) => {
        unlink()
        no(error)
      },
    }
  })
  return { promise, ...settle }
}
