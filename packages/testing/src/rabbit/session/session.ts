import type { Alarm } from '../broker/broker.ts'
import { connectionRefusal, Refusal } from '../broker/refusal.ts'
import type { Vhost } from '../broker/vhost.ts'
import type { PublishAct } from '../script/rule.ts'
import type { Frame } from '../wire/frame.ts'
import type { Method } from '../wire/method.ts'
import type { MethodName } from '../wire/method-table.ts'
import { protocolHeader } from '../wire/protocol.ts'
import { Channels, culpritIds } from './channels.ts'
import { framesOf } from './content-frames.ts'
import { type Greeted, type Greeting, greet } from './greeting.ts'
import { Heart } from './heart.ts'
import type { Client } from './log-in.ts'
import type { SessionEnds } from './session-ends.ts'

// RabbitMQ's own: how long it waits before it leaves a client that it could not greet, and one that it has closed.
const silentCloseMs = 3_000
const closeTimeoutMs = 30_000

type State =
  | { readonly kind: 'greeting'; readonly greeting: Greeting }
  | Running
  | { readonly kind: 'closing' }
  | { readonly kind: 'closed' }

interface Running {
  readonly kind: 'running'
  readonly client: Client
  readonly vhost: Vhost
  readonly channels: Channels
  readonly isBlocked: boolean
}

/** The server's side of one connection: it greets, runs and closes. */
export class Session {
  readonly #ends: SessionEnds
  #state: State = { kind: 'greeting', greeting: { at: 'protocol-header' } }
  #heart: Heart | undefined
  #cancelEnd: () => void = () => undefined

  constructor(ends: SessionEnds) {
    this.#ends = ends
  }

  /** The user and the channels of an open connection; undefined before and after. */
  get open(): { readonly user: string; readonly channels: number; readonly isBlocked: boolean } | undefined {
    if (this.#state.kind !== 'running') return undefined
    const { client, channels, isBlocked } = this.#state
    return { user: client.user, channels: channels.count, isBlocked }
  }

  /** Takes a frame from the client; `act` is what a rule wants done with the message that it announces. */
  accept(frame: Frame, act: PublishAct | undefined): void {
    try {
      this.#dispatch(frame, act)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.refuse(error, frame)
    }
  }

  /** Says no: to the channel of the frame, or to the connection. Without a frame it blames no method. */
  refuse(refusal: Refusal, frame: Frame | undefined): void {
    const culprit = frame?.kind === 'method' ? frame.method.name : undefined
    if (refusal.scope === 'channel' && this.#state.kind === 'running' && frame !== undefined) {
      this.#state.channels.refuse(frame.channel, refusal, culprit)
    } else this.#refuseConnection(refusal, culprit)
  }

  /** The alarm is over: a client that was held off goes on. */
  unblock(): void {
    const state = this.#state
    if (state.kind !== 'running' || !state.isBlocked) return
    this.#state = { ...state, isBlocked: false }
    if (state.client.hearsBlocked) this.#send({ name: 'connection.unblocked', fields: {} })
    this.#ends.resumeReading()
  }

  /** The connection is gone: what it owned goes, what it held comes back. */
  drop(): void {
    this.#leave({ kind: 'closed' })
    this.#heart?.end()
    this.#cancelEnd()
  }

  #dispatch(frame: Frame, act: PublishAct | undefined): void {
    const state = this.#state
    switch (state.kind) {
      case 'greeting':
        this.#greeted(greet(state.greeting, frame, this.#ends))
        return
      case 'running':
        if (frame.kind === 'heartbeat') refuseHeartbeatOff(frame.channel)
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

  #greeted(greeted: Greeted): void {
    switch (greeted.kind) {
      case 'further':
        this.#state = { kind: 'greeting', greeting: greeted.greeting }
        if (greeted.reply !== undefined) this.#send(greeted.reply)
        return
      case 'opened':
        this.#run(greeted)
        return
      case 'foreign':
        // The answer to any other protocol is the one that would do.
        this.#ends.send({ kind: 'protocol-header', channel: 0, bytes: protocolHeader })
        this.#endAfter(0)
        return
      case 'failed':
        if (greeted.word !== undefined) this.#sendClose(greeted.word, undefined)
        this.#endAfter(silentCloseMs)
    }
  }

  #run({ client, vhost, agreed }: Extract<Greeted, { kind: 'opened' }>): void {
    const { clock, broker, settings, send } = this.#ends
    const { channelMax, frameMax, heartbeat } = agreed
    this.#ends.allow(frameMax)
    if (heartbeat > 0) this.#startHeart(heartbeat * 1000)
    const channels = new Channels({
      clock,
      broker,
      vhost,
      channelMax,
      user: client.user,
      owner: this,
      hearsCancel: client.hearsCancel,
      maxMessageBytes: settings.maxMessageBytes,
      consumerTimeoutMs: settings.consumerTimeoutMs,
      send: (channel, method, content) => {
        for (const frame of framesOf(channel, method, content, frameMax)) send(frame)
      },
      refuseConnection: (refusal, culprit) => this.#refuseConnection(refusal, culprit),
    })
    this.#state = { kind: 'running', client, vhost, channels, isBlocked: false }
    this.#send({ name: 'connection.open-ok', fields: { knownHosts: '' } })
  }

  #onConnection(frame: Frame): void {
    if (frame.kind !== 'method')
      throw connectionRefusal('UNEXPECTED_FRAME', 'expected a method frame on channel 0')
    switch (frame.method.name) {
      case 'connection.close':
        this.#leave({ kind: 'closing' })
        this.#send({ name: 'connection.close-ok', fields: {} })
        this.#endAfter(closeTimeoutMs)
        return
      case 'connection.update-secret':
        this.#send({ name: 'connection.update-secret-ok', fields: {} })
        return
      default:
        throw connectionRefusal('CHANNEL_ERROR', 'unexpected method in connection state running')
    }
  }

  #onChannel(state: Running, frame: Frame, act: PublishAct | undefined): void {
    state.channels.accept(frame, act)
    const { alarm } = this.#ends.broker
    if (alarm !== undefined && frame.kind === 'method' && frame.method.name === 'basic.publish')
      this.#block(alarm)
  }

  // RabbitMQ stops reading at the first message of a client, and says so; that message itself waits half read.
  #block(alarm: Alarm): void {
    const state = this.#state
    if (state.kind !== 'running') return
    this.#state = { ...state, isBlocked: true }
    this.#ends.pauseReading()
    if (state.client.hearsBlocked)
      this.#send({ name: 'connection.blocked', fields: { reason: `low on ${alarm}` } })
  }

  #whileClosing(frame: Frame): void {
    const name = frame.kind === 'method' ? frame.method.name : undefined
    if (name === 'connection.close-ok') this.#ends.end()
    if (name === 'connection.close') this.#send({ name: 'connection.close-ok', fields: {} })
  }

  #refuseConnection(refusal: Refusal, culprit: MethodName | undefined): void {
    const state = this.#state
    if (state.kind === 'closed' || state.kind === 'closing') return
    const isKnown = state.kind === 'running' || state.greeting.at === 'open'
    this.#leave({ kind: 'closing' })
    if (isKnown) this.#sendClose(refusal, culprit)
    this.#endAfter(isKnown ? closeTimeoutMs : silentCloseMs)
  }

  #leave(next: State): void {
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
    this.#cancelEnd = this.#ends.clock.after(ms, () => this.#ends.end())
  }

  #startHeart(intervalMs: number): void {
    const { clock, sentBytes, receivedBytes, cut, send } = this.#ends
    this.#heart = new Heart({
      clock,
      intervalMs,
      sentBytes,
      receivedBytes,
      beat: () => send({ kind: 'heartbeat', channel: 0 }),
      onDead: cut,
    })
    this.#heart.start()
  }

  #sendClose({ replyCode, replyText }: Refusal, culprit: MethodName | undefined): void {
    this.#send({ name: 'connection.close', fields: { replyCode, replyText, ...culpritIds(culprit) } })
  }

  #send(method: Method): void {
    this.#ends.send({ kind: 'method', channel: 0, method })
  }
}

function refuseHeartbeatOff(channel: number): void {
  if (channel !== 0) throw connectionRefusal('UNEXPECTED_FRAME', 'type 8, all octets = <<>>')
}
