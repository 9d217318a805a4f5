import type { Bytes } from '../node.ts'
import type { Rule } from './turn.ts'

/** Where somebody stands in line, and what for. */
export interface Entry {
  /** The node below which the line is. It is made when it is missing; the servers remove it when nobody stands there. */
  readonly folder: string
  /** What it is there for, as in a ticket. */
  readonly kind: string
  readonly data: Bytes
}

/** A line that is waited in, and the rule by which it moves. */
export interface Line extends Entry {
  /** What is waited for, in the words of an error: `the lock /a`. */
  readonly what: string
  readonly rule: Rule
  /** Makes sure that all who stand in it go by the same rule: asked by those who stand there, and rejects if not. */
  readonly agree?: ((signal: AbortSignal) => Promise<void>) | undefined
}
