import type { Socket } from 'node:net'
import type { Clock } from '@ha/core'
import { MalformedMessage } from '../../server/byte-cursor.ts'
import type { Side } from '../../server/rules.ts'
import type { Broker } from '../broker/broker.ts'
import { AmqpException, connectionException } from '../broker/exceptions.ts'
import type { FramePlan, FrameScript, PlanStep, PublishAct } from '../rules.ts'
import type { ServerSettings } from '../session/handshake.ts'
import { Session } from '../session/session.ts'
import { encodeFrame, type Frame, FrameReader } from '../wire/frames.ts'
import type { FrameLog } from './frame-log.ts'
import { Pipe } from './pipe.ts'

/** What a line needs from its node. */
export interface BrokerConnectionDeps {
  readonly node: number
  readonly connection: number
  readonly clock: Clock
  readonly broker: Broker
  readonly settings: ServerSettings
  readonly script: FrameScript
  readonly log: FrameLog
  readonly onClosed: () => void
}

/** One connection of a client: its bytes become frames, its frames pass the script, and the session answers them. */
export class BrokerConnection {
  readonly session: Session
  readonly #deps: BrokerConnectionDeps
  readonly #pipe: Pipe
  readonly #reader = new FrameReader()
  readonly #lanes = new Map<string, FrameQueue>()
  // What a frozen node would have done: it does it when it thaws. Undefined while it is not frozen.
  #postponed: (() => void)[] | undefined
  #isGarbled = false

  constructor(socket: Socket, deps: BrokerConnectionDeps) {
    this.#deps = deps
    const { clock, broker, settings, script, node, connection } = deps
    this.#pipe = new Pipe(socket, {
      stopIn: (from, position, length) => script.stopIn({ from, position, length, node, connection }),
      onBytes: (bytes) => {
        this.#reader.push(bytes)
        this.#pull()
      },
      onReading: () => this.#pull(),
      onGone: () => this.#gone(),
      onClosed: deps.onClosed,
    })
    this.session = new Session({
      clock,
      broker,
      settings,
      send: (frame) => this.#send(frame),
      allow: (maxFrameBytes) => this.#reader.allow(maxFrameBytes),
      sentBytes: () => (this.#postponed === undefined ? this.#pipe.sentBytes : undefined),
      receivedBytes: () => (this.#pipe.isReading ? this.#pipe.receivedBytes : undefined),
      pauseReading: () => this.#pipe.pause('alarm'),
      resumeReading: () => this.#pipe.resume('alarm'),
      end: () => this.#pipe.end(),
      cut: () => this.#pipe.cut('reset'),
    })
  }

  /** From here on nothing is read and nothing is said, until {@link thaw}. */
  freeze(): void {
    this.#postponed = []
    this.#pipe.pause('frozen')
  }

  thaw(): void {
    const postponed = this.#postponed ?? []
    this.#postponed = undefined
    for (const act of postponed) act()
    this.#pipe.resume('frozen')
  }

  /** Ends the connection with an RST. */
  reset(): void {
    this.#pipe.reset()
  }

  #pull(): void {
    while (this.#pipe.isReading && !this.#isGarbled) {
      const frame = this.#nextFrame()
      if (frame === undefined) return
      this.#note('client', frame)
      this.#through('client', frame)
    }
  }

  #nextFrame(): Frame | undefined {
    try {
      return this.#reader.next()
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      // Nobody knows where the next frame begins: what follows is not looked at.
      this.#isGarbled = true
      this.session.closeWith(connectionException('FRAME_ERROR', error.message), undefined)
      return undefined
    }
  }

  #send(frame: Frame): void {
    this.#through('server', frame)
  }

  #through(from: Side, frame: Frame): void {
    const lane = this.#laneOf(from, frame.channel)
    if (lane === undefined) this.#pass(from, frame, undefined)
    else lane.push(frame)
  }

  // Lanes are made when there is a script, and stay: a frame may not overtake one that waits.
  #laneOf(from: Side, channel: number): FrameQueue | undefined {
    const { clock, script, node, connection } = this.#deps
    if (script.isEmpty && this.#lanes.size === 0) return undefined
    const key = `${from} ${channel}`
    const made = this.#lanes.get(key)
    if (made !== undefined || script.isEmpty) return made
    const lane = new FrameQueue({
      clock,
      planOf: (frame) => script.planOf({ from, frame, node, connection }),
      released: (name) => script.released(name),
      pass: (frame, publish) => this.#pass(from, frame, publish),
      act: (step, frame) => this.#act(step, frame),
    })
    this.#lanes.set(key, lane)
    return lane
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
          this.#pipe.inject(step.bytes)
          return
        case 'silence':
          this.#pipe.silence()
          return
        case 'cut':
          this.#pipe.cut(step.how)
      }
    })
  }

  #whenAwake(act: () => void): void {
    if (this.#postponed === undefined) act()
    else this.#postponed.push(act)
  }

  #emit(frame: Frame): void {
    if (!this.#pipe.isOpen) return
    this.#note('server', frame)
    for (const bytes of encodeFrame(frame)) this.#pipe.write(bytes)
  }

  #note(from: Side, frame: Frame): void {
    const { log, node, connection } = this.#deps
    log.add({ from, node, connection }, frame)
  }

  #gone(): void {
    for (const lane of this.#lanes.values()) lane.close()
    this.session.connectionLost()
  }
}

/** What a {@link FrameQueue} needs from outside. */
interface FrameQueueDeps {
  readonly clock: Clock
  readonly planOf: (frame: Frame) => FramePlan
  readonly released: (name: string) => Promise<void>
  /** The frame takes its normal way. */
  readonly pass: (frame: Frame, publish: PublishAct | undefined) => void
  /** Any other step that acts at once. */
  readonly act: (step: ImmediateStep, frame: Frame) => void
}

/** A step that is neither the frame's passing nor a wait. */
type ImmediateStep = Exclude<PlanStep, { readonly kind: 'pass' | 'wait' | 'await' }>

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'closed' }

/**
 * The frames of one channel in one direction, in order. A frame that has to wait holds up those behind it, as a busy
 * channel of a real server does; other channels go on.
 */
class FrameQueue {
  readonly #deps: FrameQueueDeps
  #state: State = { kind: 'free' }
  #queue: Frame[] = []
  // The message that a lost frame announced is lost with it.
  #losesContent = false

  constructor(deps: FrameQueueDeps) {
    this.#deps = deps
  }

  push(frame: Frame): void {
    this.#queue.push(frame)
    this.#drain()
  }

  /** Forgets what waits. */
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
