import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { channel } from 'node:diagnostics_channel'
import { EventEmitter } from 'eventemitter3'

/** Event names and their payloads. */
export type EventMap = Readonly<Record<string, unknown>>

/** A listener; what it returns is ignored, apart from a promise that rejects. */
export type Listener<T> = (event: T) => unknown

/** The half of an emitter that users see. */
export interface Events<M extends EventMap> {
  /**
   * Adds a listener; the returned function removes it. It runs in the async context of this call. A listener that throws
   * or rejects affects no other listener.
   */
  on<K extends keyof M & string>(name: K, listener: Listener<M[K]>): () => void
  /** Like `on`, for the next event only. */
  once<K extends keyof M & string>(name: K, listener: Listener<M[K]>): () => void
}

/** Typed events whose listeners are isolated: from each other, from the emitter, and from the process. */
export class Emitter<M extends EventMap> implements Events<M> {
  readonly #inner = new EventEmitter()

  on<K extends keyof M & string>(name: K, listener: Listener<M[K]>): () => void {
    const isolated = isolate(name, listener)
    this.#inner.on(name, isolated)
    return () => this.#inner.off(name, isolated)
  }

  once<K extends keyof M & string>(name: K, listener: Listener<M[K]>): () => void {
    const off = this.on(name, (event) => {
      off()
      return listener(event)
    })
    return off
  }

  emit<K extends keyof M & string>(name: K, event: M[K]): void {
    this.#inner.emit(name, event)
  }
}

function isolate<T>(name: string, listener: Listener<T>): (event: T) => void {
  const call = (event: T): void => {
    try {
      const result = listener(event)
      if (result instanceof Promise) result.catch((error: unknown) => listenerFailed(name, error))
    } catch (error) {
      listenerFailed(name, error)
    }
  }
  const inContext = AsyncLocalStorage.snapshot()
  // What a listener enters ends with it: `enterWith` changes the current resource.
  return (event) => inContext(() => new AsyncResource('HaEvent').runInAsyncScope(call, undefined, event))
}

const failures = channel('ha:listener-failed')

/**
 * Reports that a listener or callback of the application threw: on the diagnostics channel `ha:listener-failed` when it
 * has subscribers, else as a process warning. Never throws and never ends the process.
 */
export function listenerFailed(name: string, error: unknown): void {
  if (failures.hasSubscribers) {
    failures.publish({ event: name, error })
    return
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(`a listener of '${name}' failed: ${detail}`, { code: 'HA_LISTENER_FAILED' })
}
