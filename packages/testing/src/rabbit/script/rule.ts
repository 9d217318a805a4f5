import type { ConnectionFilter, Side } from '../../server/rules.ts'
import type { MatchWindow, WhenByte } from '../../server/script.ts'
import type { FrameName } from '../wire/frame-name.ts'

/** One misbehaviour, as data: what it waits for and what happens then. */
export type Rule = FrameRule | ByteRule

/** A rule about frames. */
export type FrameRule = { readonly when: WhenFrame } & FrameAct

/** A rule about a place in the stream of bytes, wherever frames begin and end. */
export type ByteRule = { readonly when: WhenByte } & ByteAct

/** Matches a frame that a side sends. */
export interface WhenFrame extends ConnectionFilter, MatchWindow {
  readonly from: Side
  readonly frame: FrameName
  readonly channel?: number
  /** Fields of the method with the values that they must have. */
  readonly fields?: Readonly<Record<string, string | number | boolean>>
}

/** What a rule about frames does. Everything on the same channel waits behind a frame that waits. */
export type FrameAct =
  /** The frame is handled or sent so much later. */
  | { readonly do: 'delay'; readonly delayMs: number }
  /** The frame waits until the test says `cluster.release(name)`. */
  | { readonly do: 'hold'; readonly until: string }
  /** The frame, with the message that it announces, is lost: never handled, never sent. */
  | { readonly do: 'drop' }
  /** The server refuses the channel instead of handling the frame. */
  | { readonly do: 'close-channel'; readonly replyCode: number; readonly replyText: string }
  /** The server refuses the connection instead of handling the frame. */
  | { readonly do: 'close-connection'; readonly replyCode: number; readonly replyText: string }
  | (Ending & AtEdge)
  | (Injection & AtEdge)
  | PublishAct

/** What a rule about bytes does. */
export type ByteAct = Ending | Injection

/** On which side of the frame it happens. Default `before`: an ending before a frame means that it never passes. */
export interface AtEdge {
  readonly at?: 'before' | 'after'
}

/** The end of what a connection says. */
export type Ending =
  /** From here on the server reads nothing and says nothing, and the socket stays open. */
  | { readonly do: 'silence' }
  /** The socket ends: with an RST, or with a FIN. */
  | { readonly do: 'cut'; readonly how: CutHow }

/** How a socket is cut. */
export type CutHow = 'reset' | 'end'

/** Bytes that the server sends though the protocol does not ask for them. */
export interface Injection {
  readonly do: 'inject'
  readonly bytes: Uint8Array
}

/** What a rule about the client's `basic.publish` does with the message. */
export type PublishAct =
  /** The message is not stored, and its confirm is a nack. */
  | { readonly do: 'nack' }
  /** The message is stored, and its confirm never comes. */
  | { readonly do: 'lose-confirm' }
  /** The message is stored twice and confirmed once, as if its publisher had sent it again. */
  | { readonly do: 'store-twice' }
  /** The confirms of so many matching messages are collected and then sent together. */
  | { readonly do: 'batch-confirms'; readonly size: number; readonly as: ConfirmBatch }

/** How a batch of confirms is sent: one by one as published, one by one from the last, or as one `multiple`. */
export type ConfirmBatch = 'in-order' | 'reversed' | 'multiple'
