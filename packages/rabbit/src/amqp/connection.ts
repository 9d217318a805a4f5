import type { Socket } from 'node:net'
import { type Endpoint, formatEndpoint, HaError, type Signal } from '@ha/core'
import type { Channel, ChannelModel } from 'amqplib'
import { replyCode } from './verdicts.ts'

/** A handshaken AMQP connection: the driver's model, what it hides, and the story of its end. */
export class AmqpConnection {
  readonly endpoint: Endpoint
  readonly model: ChannelModel
  readonly #over = new AbortController()
  #report: ((signal: Signal) => void) | undefined
  #ended: HaError | undefined
  #lastError: unknown
  /** A private channel for no-op requests. Set once the handshake is complete. */
  pings: Channel | undefined

  constructor(endpoint: Endpoint, model: ChannelModel) {
    this.endpoint = endpoint
    this.model = model
    // Without a listener, an `error` event of the driver ends the process.
    model.on('error', (error) => {
      this.#lastError = error
    })
    // A node that stops politely (320) is announced by `close` alone; every other end by `error` first.
    model.on('close', (error) => this.#end(error ?? this.#lastError))
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
  get over(): AbortSignal {
    return this.#over.signal
  }

  watch(report: (signal: Signal) => void): () => void {
    this.#report = report
    if (this.#ended !== undefined) report({ kind: 'lost', error: this.#ended })
    return () => {
      this.#report = undefined
    }
  }

  /**
   * Ends it at once. The driver hears of a socket's end only when it is destroyed with an error; without one, no
   * event comes and every pending call hangs. After a heartbeat timeout the driver itself only half-closes.
   */
  destroy(): void {
    const error = new HaError('lost', `the connection to ${formatEndpoint(this.endpoint)} was ended`, {
      outcome: 'unknown',
    })
    this.#end(error)
    this.stream.destroy(error)
  }

  #end(cause: unknown): void {
    if (this.#ended !== undefined) return
    const endpoint = formatEndpoint(this.endpoint)
    const said = cause instanceof Error ? cause.message : 'closed'
    const serverCode = replyCode(cause)
    this.#ended = new HaError('lost', `${endpoint}: ${said}`, {
      outcome: 'unknown',
      retryable: true,
      endpoint,
      serverCode,
      cause,
    })
    this.#over.abort(this.#ended)
    this.#report?.({ kind: 'lost', error: this.#ended })
  }
}
