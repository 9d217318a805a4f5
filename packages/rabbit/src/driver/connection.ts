import { setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { type ConnectionSignal, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { detachStack } from '@ha/core/driver'
import type { Channel, ChannelModel } from 'amqplib'
import { replyCode } from './error-classification.ts'

/** A handshaken AMQP connection: the driver's model, what it hides, and the story of its end. */
export class AmqpConnection {
  readonly endpoint: Endpoint
  readonly model: ChannelModel
  readonly #closed = new AbortController()
  #report: ((signal: ConnectionSignal) => void) | undefined
  #closeError: HaError | undefined
  /** A private channel for no-op requests. Set once the handshake is complete. */
  probeChannel: Channel | undefined

  constructor(endpoint: Endpoint, model: ChannelModel) {
    this.endpoint = endpoint
    this.model = model
    // Every channel hangs its own end on it.
    setMaxListeners(0, this.#closed.signal)
    // Without a listener, an `error` event of the driver ends the process. After a frame that it cannot place, the
    // driver sends nothing more and waits for a `close` that a broker may never answer: so it ends here.
    model.on('error', (error) => {
      this.#end(error)
      this.stream.destroy(error)
    })
    // A node that stops politely (320) is announced by `close` alone.
    model.on('close', (error) => this.#end(error))
    model.on('blocked', (reason) => this.#report?.({ kind: 'suspended', reason }))
    model.on('unblocked', () => this.#report?.({ kind: 'resumed' }))
  }

  /** The socket below. The driver's types do not show it. */
  get stream(): Socket {
    return (this.model.connection as unknown as { readonly stream: Socket }).stream
  }

  /** The broker's version, such as `3.10.8`. */
  get version(): string {
    return this.model.connection.serverProperties.version
  }

  /** Fires when the connection is over, before the driver's own events do. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  watch(report: (signal: ConnectionSignal) => void): () => void {
    this.#report = report
    if (this.#closeError !== undefined) report({ kind: 'lost', error: this.#closeError })
    return () => {
      this.#report = undefined
    }
  }

  /**
   * Ends it at once. The driver hears of a socket's end only when it is destroyed with an error; without one, no
   * event comes and every pending call hangs. After a heartbeat timeout the driver itself only half-closes.
   */
  destroy(): void {
    const message = `the connection to ${formatEndpoint(this.endpoint)} was ended`
    const error = detachStack(new HaError('lost', message, { outcome: 'unknown' }))
    this.#end(error)
    this.stream.destroy(error)
  }

  #end(cause: unknown): void {
    if (this.#closeError !== undefined) return
    const endpoint = formatEndpoint(this.endpoint)
    const said = cause instanceof Error ? detachStack(cause).message : 'closed'
    const serverCode = replyCode(cause)
    const details = { outcome: 'unknown', retryable: true, endpoint, serverCode, cause } as const
    this.#closeError = detachStack(new HaError('lost', `${endpoint}: ${said}`, details))
    this.#closed.abort(this.#closeError)
    this.#report?.({ kind: 'lost', error: this.#closeError })
  }
}
