/** A promise that its owner settles: the one place outside `runtime/scope.ts` where a bare promise is made. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** A {@link Deferred} whose rejection is nobody's accident: it counts as handled even before somebody waits. */
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

/** A {@link Deferred} that also rejects with the signal's reason, and lets go of the signal as soon as it is settled. */
export function deferredUntil<T>(signal: AbortSignal): Deferred<T> {
  let settle!: Omit<Deferred<T>, 'promise'>
  const promise = new Promise<T>((yes, no) => {
    const letGo = (): void => signal.removeEventListener('abort', onAbort)
    const onAbort = (): void => no(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    settle = {
      resolve: (value) => {
        letGo()
        yes(value)
      },
      reject: (error) => {
        letGo()
        no(error)
      },
    }
  })
  return { promise, ...settle }
}
