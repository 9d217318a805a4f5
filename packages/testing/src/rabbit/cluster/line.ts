import type { Socket } from 'node:net'
import type { Clock } from '@ha/core'
import { MalformedMessage } from '../../server/byte-cursor.ts'
import type { Side } from '../../server/rules.ts'
import type { Broker } from '../broker/broker.ts'
import { connectionRefusal, Refusal } from '../broker/refusal.ts'
import { type Act, Lane } from '../script/lane.ts'
import type { FrameScript } from '../script/plan.ts'
import type { PublishAct } from '../script/rule.ts'
import { Session } from '../session/session.ts'
import type { ServerSettings } from '../session/settings.ts'
import { encodeFrame, type Frame } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import type { FrameLog } from './frame-log.ts'
import { Pipe } from './pipe.ts'

/** What a line needs from its node. */
export interface LineEnds {
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
export class Line {
  readonly session: Session
  readonly #ends: LineEnds
  readonly #pipe: Pipe
  readonly #reader = new FrameReader()
  readonly #lanes = new Map<string, Lane>()
  // What a frozen node would have done: it does it when it thaws. Undefined while it is not frozen.
  #postponed: (() => void)[] | undefined
  #isGarbled = false

  constructor(socket: Socket, ends: LineEnds) {
    this.#ends = ends
    const { clock, broker, settings, script, node, connection } = ends
    this.#pipe = new Pipe(socket, {
      stopIn: (from, position, length) => script.stopIn({ from, position, length, node, connection }),
      onBytes: (bytes) => {
        this.#reader.push(bytes)
        this.#pull()
      },
      onReading: () => this.#pull(),
      onGone: () => this.#gone(),
      onClosed: ends.onClosed,
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
      this.session.refuse(connectionRefusal('FRAME_ERROR', error.message), undefined)
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
  #laneOf(from: Side, channel: number): Lane | undefined {
    const { clock, script, node, connection } = this.#ends
    if (script.isEmpty && this.#lanes.size === 0) return undefined
    const key = `${from} ${channel}`
    const made = this.#lanes.get(key)
    if (made !== undefined || script.isEmpty) return made
    const lane = new Lane({
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

  #act(step: Act, frame: Frame): void {
    this.#whenAwake(() => {
      switch (step.kind) {
        case 'refuse':
          this.session.refuse(new Refusal(step.scope, step.replyCode, step.replyText), frame)
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
    const { log, node, connection } = this.#ends
    log.add({ from, node, connection }, frame)
  }

  #gone(): void {
    for (const lane of this.#lanes.values()) lane.close()
    this.session.drop()
  }
}
