import type { Clock } from '@ha/core'
import { MalformedMessage } from '../../server/byte-cursor.ts'
import type { ConnectionOrigin, Side } from '../../server/rules.ts'
import { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import { AmqpException, connectionException } from '../broker/exceptions.ts'
import type { FramePlan, FrameScript, PlanStep, PublishAct } from '../rules.ts'
import { BrokerSession, type BrokerSessionDeps } from '../session/session.ts'
import { encodeFrame, type Frame, FrameReader } from '../wire/frames.ts'
import { type FrameLog, loggedFrame } from './frame-log.ts'

/** What a connection needs from its node. */
export interface BrokerConnectionDeps {
  /** Its node, and its number among all connections of the cluster. */
  readonly origin: ConnectionOrigin
  readonly server: Omit<BrokerSessionDeps, 'transport'>
  readonly script: FrameScript
  readonly log: FrameLog
  readonly onClosed: () => void
}

/** One connection of a client: bytes become frames, frames pass the script, and the session handles them. */
export class BrokerConnection {
  readonly session: BrokerSession
  readonly #deps: BrokerConnectionDeps
  readonly #pipe: ScriptedPipe<Frame>
  readonly #queues = new Map<string, FrameQueue>()
  // What a frozen node would have done and does when it thaws; undefined while it is not frozen.
  #postponed: (() => void)[] | undefined
  #isGarbled = false

  constructor(socket: ServerSocket, deps: BrokerConnectionDeps) {
    this.#deps = deps
    const { origin, server, script } = deps
    const reader = new FrameReader()
    this.#pipe = new ScriptedPipe(socket, {
      reader,
      stopIn: (from, position, length) => script.stopIn({ from, position, length, ...origin }),
      onInput: () => this.#takeFrames(),
      onGone: () => this.#onGone(),
      onClosed: deps.onClosed,
      lingers: true,
    })
    this.session = new BrokerSession({
      ...server,
      transport: {
        send: (frame) => this.#route('server', frame),
        allow: (maxFrameBytes) => reader.allow(maxFrameBytes),
        sentBytes: () => (this.#postponed === undefined ? this.#pipe.sentBytes : undefined),
        receivedBytes: () => (this.#pipe.isReading ? this.#pipe.receivedBytes : undefined),
        pauseReading: () => this.#pipe.block(),
        resumeReading: () => this.#pipe.unblock(),
        end: () => this.#pipe.finish(),
        reset: () => this.#pipe.end({ do: 'cut', how: 'reset' }),
      },
    })
  }

  /** Nothing is read and nothing is sent until {@link thaw}. */
  freeze(): void {
    this.#postponed = []
    this.#pipe.freeze()
  }

  thaw(): void {
    const postponed = this.#postponed ?? []
    this.#postponed = undefined
    for (const act of postponed) act()
    this.#pipe.thaw()
  }

  /** Ends the connection with an RST. */
  reset(): void {
    this.#pipe.reset()
  }

  /** The network between client and node carries nothing until {@link heal}. */
  partition(): void {
    this.#pipe.partition()
  }

  heal(): void {
    this.#pipe.heal()
  }

  #takeFrames(): void {
    while (!this.#isGarbled) {
      const frame = this.#nextFrame()
      if (frame === undefined) return
      this.#log('client', frame)
      this.#route('client', frame)
    }
  }

  #nextFrame(): Frame | undefined {
    try {
      return this.#pipe.take()
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      // Where the next frame begins is unknown: what follows is not read.
      this.#isGarbled = true
      this.session.closeWith(connectionException('FRAME_ERROR', error.message), undefined)
      return undefined
    }
  }

  #route(from: Side, frame: Frame): void {
    const queue = this.#queueOf(from, frame.channel)
    if (queue === undefined) this.#pass(from, frame, undefined)
    else queue.push(frame)
  }

  // Queues are made when there is a script, and stay: a frame may not overtake one that waits.
  #queueOf(from: Side, channel: number): FrameQueue | undefined {
    const { origin, server, script } = this.#deps
    if (script.isEmpty && this.#queues.size === 0) return undefined
    const key = `${from} ${channel}`
    const made = this.#queues.get(key)
    if (made !== undefined || script.isEmpty) return made
    const queue = new FrameQueue({
      clock: server.clock,
      planOf: (frame) => script.planOf({ from, frame, ...origin }),
      released: (name) => script.released(name),
      pass: (frame, publish) => this.#pass(from, frame, publish),
      act: (step, frame) => this.#act(step, frame),
    })
    this.#queues.set(key, queue)
    return queue
  }

  #pass(from: Side, frame: Frame, publish: PublishAct | undefined): void {
    this.#whenAwake(() => {
      if (from === 'client') this.session.accept(frame, publish)
      else this.#emit(frame)
    })
  }

  #act(step: ImmediateStep, frame: Frame): void {
    this.#whenAwake(() => {
      switch (step.kind) {
        case 'refuse':
          this.session.closeWith(new AmqpException(step.scope, step.replyCode, step.replyText), frame)
          return
        case 'inject':
          this.#pipe.cork()
          this.#pipe.inject(step.bytes)
          return
        case 'silence':
          this.#pipe.end({ do: 'silence' })
          return
        case 'cut':
          this.#pipe.end({ do: 'cut', how: step.how })
      }
    })
  }

  #whenAwake(act: () => void): void {
    if (this.#postponed === undefined) act()
    else this.#postponed.push(act)
  }

  #emit(frame: Frame): void {
    if (!this.#pipe.isOpen) return
    this.#log('server', frame)
    this.#pipe.cork()
    for (const bytes of encodeFrame(frame)) this.#pipe.write(bytes)
  }

  #log(from: Side, frame: Frame): void {
    const { log, origin } = this.#deps
    log.add(loggedFrame(from, origin, frame))
  }

  #onGone(): void {
    for (const queue of this.#queues.values()) queue.close()
    this.session.connectionLost()
  }
}

/** What a {@link FrameQueue} needs from its connection. */
interface FrameQueueDeps {
  readonly clock: Clock
  readonly planOf: (frame: Frame) => FramePlan
  readonly released: (name: string) => Promise<void>
  /** Handles or sends the frame. */
  readonly pass: (frame: Frame, publish: PublishAct | undefined) => void
  /** Executes any other step that does not wait. */
  readonly act: (step: ImmediateStep, frame: Frame) => void
}

/** A step that is neither the frame itself nor a wait. */
type ImmediateStep = Exclude<PlanStep, { readonly kind: 'pass' | 'wait' | 'await' }>

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'closed' }

/**
 * The frames of one channel in one direction, in order. A frame that waits delays those behind it, as on a busy
 * channel of a real server; other channels continue.
 */
class FrameQueue {
  readonly #deps: FrameQueueDeps
  #state: State = { kind: 'free' }
  #queue: Frame[] = []
  // A dropped method drops the content that follows it.
  #losesContent = false

  constructor(deps: FrameQueueDeps) {
    this.#deps = deps
  }

  push(frame: Frame): void {
    this.#queue.push(frame)
    this.#drain()
  }

  /** Drops the frames that wait. */
  close(): void {
    if (this.#state.kind === 'waiting') this.#state.cancel()
    this.#state = { kind: 'closed' }
    this.#queue = []
  }

  #drain(): void {
    while (this.#state.kind === 'free') {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      this.#begin(frame)
    }
  }

  #begin(frame: Frame): void {
    const isContent = frame.kind === 'content-header' || frame.kind === 'content-body'
    if (isContent && this.#losesContent) return
    const plan = this.#deps.planOf(frame)
    if (frame.kind === 'method') this.#losesContent = !plan.some((step) => step.kind === 'pass')
    this.#walk(frame, plan)
  }

  #walk(frame: Frame, plan: FramePlan): void {
    for (const [i, step] of plan.entries()) {
      if (this.#state.kind === 'closed') return
      if (step.kind === 'wait' || step.kind === 'await') {
        this.#wait(frame, step, plan.slice(i + 1))
        return
      }
      if (step.kind === 'pass') this.#deps.pass(frame, step.publish)
      else this.#deps.act(step, frame)
    }
  }

  #wait(frame: Frame, step: Extract<PlanStep, { readonly kind: 'wait' | 'await' }>, rest: FramePlan): void {
    if (step.kind === 'wait') {
      this.#state = {
        kind: 'waiting',
        cancel: this.#deps.clock.after(step.delayMs, () => this.#resume(frame, rest)),
      }
      return
    }
    this.#state = { kind: 'waiting', cancel: () => undefined }
    void this.#deps.released(step.name).then(() => this.#resume(frame, rest))
  }

  #resume(frame: Frame, rest: FramePlan): void {
    if (this.#state.kind !== 'waiting') return
    this.#state = { kind: 'free' }
    this.#walk(frame, rest)
    this.#drain()
  }
}
