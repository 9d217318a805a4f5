import type { Member } from '@ha/core'
import type { Reading } from '../driver/reading.ts'
import type { Unfit } from './fitness.ts'

/** A server that may be used, and how gladly: the lower tier first. */
export interface Usable {
  readonly kind: 'usable'
  readonly member: Member<Reading>
  readonly tier: number
}

/** One server and whether it may be used. */
export type Judged =
  | Usable
  | { readonly kind: 'unanswered'; readonly member: Member<Reading> }
  | {
      readonly kind: 'unusable'
      readonly member: Member<Reading>
      readonly because: Unfit | 'wrong-role'
    }
