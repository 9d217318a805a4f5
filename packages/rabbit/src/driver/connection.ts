import { setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { type ConnectionSignal, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { detachStack } from '@ha/core/driver'
import type { Channel, ChannelModel } from 'amqplib'
import { replyCode } from './error-classification.ts'

// Type, channel, size and end of a frame.
const frameOverheadBytes = 8

/** An open AMQP connection: the driver's model, its socket, and one report of its end. */
export class AmqpConnection {
  readonly endpoint: Endpoint
  readonly model: ChannelModel
  readonly #closed = new AbortController()
  #report: ((signal: ConnectionSignal) => void) | undefined
  #closeError: HaError | undefined
  /** A channel for liveness probes. Set when the handshake is complete. */
  probeChannel: Channel | undefined

  constructor(endpoint: Endpoint, model: ChannelModel) {
    this.endpoint = endpoint
    this.model = model
    // Every channel adds a listener.
    setMaxListeners(0, this.#closed.signal)
    // Without a listener, an `error` event of the driver ends the process. After an unexpected frame, the driver waits for
    // a close-ok that the broker may never send, so the socket is destroyed here.
    model.on('error', (error) => {
      this.#end(error)
      this.stream.destroy(error)
    })
    // A regular stop of the node (320) emits `close` only.
    model.on('close', (error) => this.#end(error))
    model.on('blocked', (reason) => this.#report?.({ kind: 'suspended', reason }))
    model.on('unblocked', () => this.#report?.({ kind: 'resumed' }))
  }

  /** The socket. The driver's types do not include it. */
  get stream(): Socket {
    return (this.model.connection as unknown as { readonly stream: Socket }).stream
  }

  /** The broker's version, such as `3.10.8`. */
  get version(): string {
    return this.model.connection.serverProperties.version
  }

  /** What the broker told of itself at the login. */
  get serverProperties(): Readonly<Record<string, unknown>> {
    return { ...this.model.connection.serverProperties }
  }

  /** The largest content header that fits into a frame of this connection, in bytes. The driver's types do not include it. */
  get maxHeaderBytes(): number {
    const { frameMax } = this.model.connection as unknown as { readonly frameMax: number }
    return frameMax - frameOverheadBytes
  }

  /** Fires when the connection is closed, before the events of the driver. */
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
   * Closes the connection immediately. The driver notices only a socket that is destroyed with an error; otherwise it
   * emits no event and every pending call hangs. After a heartbeat timeout, the driver itself only half-closes the socket.
   */
  destroy(): void {
    const message = `the connection to ${formatEndpoint(this.endpoint)} was closed`
    const error = detachStack(new HaError('lost', message, { outcome: 'unknown' }))
    this.#end(error)
    this.stream.destroy(error)
  }

  #end(cause: unknown): void {
    if (this.#closeError !== undefined) return
    const endpoint = formatEndpoint(this.endpoint)
    const text = cause instanceof Error ? detachStack(cause).message : 'closed'
    const serverCode = replyCode(cause)
    const details = { outcome: 'unknown', retryable: true, endpoint, serverCode, cause } as const
    this.#closeError = detachStack(new HaError('lost', `${endpoint}: ${text}`, details))
    this.#closed.abort(this.#closeError)
    this.#report?.({ kind: 'lost', error: this.#closeError })
  }
}
