import type { Draft } from './overlay.ts'

/** What another library's options come to: options of ours, and what was said in vain. */
export interface Translated {
  readonly draft: Draft
  readonly warnings: readonly string[]
}
