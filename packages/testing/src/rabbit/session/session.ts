import type { Clock } from '@ha/core'
import type { Alarm, Broker } from '../broker/broker.ts'
import { AmqpException, connectionException } from '../broker/exceptions.ts'
import type { Vhost } from '../broker/vhost.ts'
import type { PublishAct } from '../rules.ts'
import type { Frame } from '../wire/frames.ts'
import type { Method, MethodName } from '../wire/methods.ts'
import { protocolHeader } from '../wire/protocol.ts'
import { Channels, failingMethodIds } from './channels.ts'
import { framesOf } from './content.ts'
import {
  advanceHandshake,
  type ClientIdentity,
  type HandshakeResult,
  type HandshakeState,
  type ServerSettings,
} from './handshake.ts'

// RabbitMQ's own values: how long it waits before it closes the socket after a failed handshake, and after
// connection.close.
const silentCloseMs = 3_000
const closeTimeoutMs = 30_000

type State =
  | { readonly kind: 'handshake'; readonly handshake: HandshakeState }
  | Running
  | { readonly kind: 'closing' }
  | { readonly kind: 'closed' }

interface Running {
  readonly kind: 'running'
  readonly client: ClientIdentity
  readonly vhost: Vhost
  readonly channels: Channels
  readonly isBlocked: boolean
}

/** The server's side of one connection: handshake, commands and close. */
export class BrokerSession {
  readonly #deps: BrokerSessionDeps
  #state: State = { kind: 'handshake', handshake: { at: 'protocol-header' } }
  #heartbeat: Heartbeat | undefined
  #cancelEnd: () => void = () => undefined

  constructor(deps: BrokerSessionDeps) {
    this.#deps = deps
  }

  /** The user and the channels of an open connection; undefined before and after. */
  get open(): { readonly user: string; readonly channels: number; readonly isBlocked: boolean } | undefined {
    if (this.#state.kind !== 'running') return undefined
    const { client, channels, isBlocked } = this.#state
    return { user: client.user, channels: channels.count, isBlocked }
  }

  /** Handles a frame of the client; `act` is a rule's action for the message that the frame announces. */
  accept(frame: Frame, act: PublishAct | undefined): void {
    try {
      this.#dispatch(frame, act)
    } catch (error) {
      if (!(error instanceof AmqpException)) throw error
      this.closeWith(error, frame)
    }
  }

  /** Closes the channel of the frame, or the connection. Without a frame the close names no method. */
  closeWith(exception: AmqpException, frame: Frame | undefined): void {
    const failingMethod = frame?.kind === 'method' ? frame.method.name : undefined
    if (exception.scope === 'channel' && this.#state.kind === 'running' && frame !== undefined) {
      this.#state.channels.closeWith(frame.channel, exception, failingMethod)
    } else this.#closeConnection(exception, failingMethod)
  }

  /** The alarm is cleared: a blocked client is read again. */
  unblock(): void {
    const state = this.#state
    if (state.kind !== 'running' || !state.isBlocked) return
    this.#state = { ...state, isBlocked: false }
    if (state.client.wantsBlockedNotify) this.#send({ name: 'connection.unblocked', fields: {} })
    this.#deps.transport.resumeReading()
  }

  /** The connection is lost: exclusive queues are deleted, unacknowledged messages are requeued. */
  connectionLost(): void {
    this.#release({ kind: 'closed' })
    this.#heartbeat?.end()
    this.#cancelEnd()
  }

  #dispatch(frame: Frame, act: PublishAct | undefined): void {
    const state = this.#state
    switch (state.kind) {
      case 'handshake':
        this.#onHandshake(advanceHandshake(state.handshake, frame, this.#deps))
        return
      case 'running':
        if (frame.kind === 'heartbeat') checkHeartbeatChannel(frame.channel)
        else if (frame.channel === 0) this.#onConnection(frame)
        else this.#onChannel(state, frame, act)
        return
      case 'closing':
        this.#whileClosing(frame)
        return
      case 'closed':
        return
    }
  }

  #onHandshake(result: HandshakeResult): void {
    switch (result.kind) {
      case 'continue':
        this.#state = { kind: 'handshake', handshake: result.state }
        if (result.reply !== undefined) this.#send(result.reply)
        return
      case 'opened':
        this.#run(result)
        return
      case 'unsupported-protocol':
        // The answer to another protocol is the header of the supported one.
        this.#deps.transport.send({ kind: 'protocol-header', channel: 0, bytes: protocolHeader })
        this.#endAfter(0)
        return
      case 'failed':
        if (result.exception !== undefined) this.#sendClose(result.exception, undefined)
        this.#endAfter(silentCloseMs)
    }
  }

  #run({ client, vhost, agreed }: Extract<HandshakeResult, { kind: 'opened' }>): void {
    const { clock, broker, settings, transport } = this.#deps
    const { channelMax, frameMax, heartbeat } = agreed
    transport.allow(frameMax)
    if (heartbeat > 0) this.#startHeartbeat(heartbeat * 1000)
    const channels = new Channels({
      context: {
        clock,
        broker,
        vhost,
        settings,
        user: client.user,
        owner: this,
        wantsCancelNotify: client.wantsCancelNotify,
      },
      channelMax,
      send: (channel, method, content) => {
        for (const frame of framesOf(channel, method, content, frameMax)) transport.send(frame)
      },
      closeConnection: (exception, failingMethod) => this.#closeConnection(exception, failingMethod),
    })
    this.#state = { kind: 'running', client, vhost, channels, isBlocked: false }
    this.#send({ name: 'connection.open-ok', fields: { knownHosts: '' } })
  }

  #onConnection(frame: Frame): void {
    if (frame.kind !== 'method')
      throw connectionException('UNEXPECTED_FRAME', 'expected a method frame on channel 0')
    switch (frame.method.name) {
      case 'connection.close':
        this.#release({ kind: 'closing' })
        this.#send({ name: 'connection.close-ok', fields: {} })
        this.#endAfter(closeTimeoutMs)
        return
      case 'connection.update-secret':
        this.#send({ name: 'connection.update-secret-ok', fields: {} })
        return
      default:
        throw connectionException('CHANNEL_ERROR', 'unexpected method in connection state running')
    }
  }

  #onChannel(state: Running, frame: Frame, act: PublishAct | undefined): void {
    state.channels.accept(frame, act)
    const { alarm } = this.#deps.broker
    if (alarm !== undefined && frame.kind === 'method' && frame.method.name === 'basic.publish')
      this.#block(alarm)
  }

  // RabbitMQ stops reading at the first message of a client and sends connection.blocked; that message itself stays
  // half read.
  #block(alarm: Alarm): void {
    const state = this.#state
    if (state.kind !== 'running') return
    this.#state = { ...state, isBlocked: true }
    this.#deps.transport.pauseReading()
    if (state.client.wantsBlockedNotify)
      this.#send({ name: 'connection.blocked', fields: { reason: `low on ${alarm}` } })
  }

  #whileClosing(frame: Frame): void {
    const name = frame.kind === 'method' ? frame.method.name : undefined
    if (name === 'connection.close-ok') this.#deps.transport.end()
    if (name === 'connection.close') this.#send({ name: 'connection.close-ok', fields: {} })
  }

  #closeConnection(exception: AmqpException, failingMethod: MethodName | undefined): void {
    const state = this.#state
    if (state.kind === 'closed' || state.kind === 'closing') return
    const isKnown = state.kind === 'running' || state.handshake.at === 'open'
    this.#release({ kind: 'closing' })
    if (isKnown) this.#sendClose(exception, failingMethod)
    this.#endAfter(isKnown ? closeTimeoutMs : silentCloseMs)
  }

  #release(next: State): void {
    const state = this.#state
    this.#state = next
    if (state.kind !== 'running') return
    state.channels.end()
    for (const queue of state.vhost.queues) {
      if (queue.declared.owner === this) state.vhost.removeQueue(queue)
    }
  }

  #endAfter(ms: number): void {
    this.#state = { kind: 'closing' }
    this.#cancelEnd()
    this.#cancelEnd = this.#deps.clock.after(ms, () => this.#deps.transport.end())
  }

  #startHeartbeat(intervalMs: number): void {
    const { clock, transport } = this.#deps
    this.#heartbeat = new Heartbeat({
      clock,
      intervalMs,
      sentBytes: transport.sentBytes,
      receivedBytes: transport.receivedBytes,
      sendHeartbeat: () => transport.send({ kind: 'heartbeat', channel: 0 }),
      onDead: transport.reset,
    })
    this.#heartbeat.start()
  }

  #sendClose({ replyCode, replyText }: AmqpException, failingMethod: MethodName | undefined): void {
    this.#send({
      name: 'connection.close',
      fields: { replyCode, replyText, ...failingMethodIds(failingMethod) },
    })
  }

  #send(method: Method): void {
    this.#deps.transport.send({ kind: 'method', channel: 0, method })
  }
}

function checkHeartbeatChannel(channel: number): void {
  if (channel !== 0) throw connectionException('UNEXPECTED_FRAME', 'type 8, all octets = <<>>')
}

/** What a session needs from its connection. */
export interface BrokerSessionDeps {
  readonly clock: Clock
  readonly broker: Broker
  readonly settings: ServerSettings
  readonly transport: SessionTransport
}

/** The socket below a session, as far as the session uses it. */
export interface SessionTransport {
  readonly send: (frame: Frame) => void
  /** Sets the largest frame that the client may send. */
  readonly allow: (maxFrameBytes: number) => void
  /** How many bytes were sent so far; undefined while the node is frozen. */
  readonly sentBytes: () => number | undefined
  /** How many bytes were received so far; undefined while the socket is not read. */
  readonly receivedBytes: () => number | undefined
  readonly pauseReading: () => void
  readonly resumeReading: () => void
  /** Ends the socket behind what was sent. */
  readonly end: () => void
  /** Resets the socket. */
  readonly reset: () => void
}

/** What a {@link Heartbeat} needs from its connection. */
interface HeartbeatDeps {
  readonly clock: Clock
  readonly intervalMs: number
  /** How many bytes were sent so far; undefined while the server itself is frozen. */
  readonly sentBytes: () => number | undefined
  /** How many bytes were received so far; undefined while the server itself does not read. */
  readonly receivedBytes: () => number | undefined
  readonly sendHeartbeat: () => void
  readonly onDead: () => void
}

/**
 * Heartbeats, timed as RabbitMQ times them: one is sent after half an interval without any other frame, and a client
 * that sends nothing during two checks, an interval apart, is considered dead.
 */
class Heartbeat {
  readonly #deps: HeartbeatDeps
  #cancelSend: () => void = () => undefined
  #cancelCheck: () => void = () => undefined

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#watchSent(this.#deps.sentBytes())
    this.#watchReceived(this.#deps.receivedBytes(), 0)
  }

  end(): void {
    this.#cancelSend()
    this.#cancelCheck()
  }

  #watchSent(before: number | undefined): void {
    const { clock, intervalMs, sentBytes, sendHeartbeat } = this.#deps
    this.#cancelSend = clock.after(intervalMs / 2, () => {
      const now = sentBytes()
      if (now !== undefined && now === before) sendHeartbeat()
      this.#watchSent(sentBytes())
    })
  }

  #watchReceived(before: number | undefined, silentLooks: number): void {
    const { clock, intervalMs, receivedBytes, onDead } = this.#deps
    this.#cancelCheck = clock.after(intervalMs, () => {
      const now = receivedBytes()
      const isSilent = now !== undefined && now === before
      if (isSilent && silentLooks > 0) onDead()
      else this.#watchReceived(now, isSilent ? silentLooks + 1 : 0)
    })
  }
}
