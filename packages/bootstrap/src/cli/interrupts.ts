import { labError } from '../model/codes.ts'
import type { VerbContext, VerbResult } from './context.ts'

// What is true after an interrupt: only what waits for somebody else ends with hactl.
const interruptMessages = {
  up: 'what was begun has been undone',
  look: 'nothing was changed',
  fault: 'the fault may be in force all the same, and heals itself when its time is over; see: hactl status',
  back: 'what was asked may go on all the same; see: hactl status',
  down: 'the lab may be ending all the same; see: hactl status',
  sandbox: 'everything in the sandbox has ended',
  fix: 'the package manager does not run any more; see: hactl doctor',
} as const

/** What an interrupt leaves of a verb, by the kind of the verb. */
export type InterruptKind = keyof typeof interruptMessages

/** The same verb, which says what is true when it was interrupted. */
export function explainInterrupt(
  kind: InterruptKind,
  verb: (context: VerbContext) => Promise<VerbResult>,
): (context: VerbContext) => Promise<VerbResult> {
  return async (context) => {
    try {
      return await verb(context)
    } catch (thrown) {
      // Anything else says by itself what happened.
      if (!context.signal.aborted || thrown !== context.signal.reason) throw thrown
      throw labError('aborted', `interrupted; ${interruptMessages[kind]}`, { cause: thrown })
    }
  }
}
