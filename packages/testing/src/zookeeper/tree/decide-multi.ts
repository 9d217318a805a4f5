import { code } from '../wire/code.ts'
import type { PartRequest } from '../wire/request.ts'
import { type Author, decide, type Effect } from './decide.ts'
import type { Draft } from './draft.ts'
import { Refusal } from './refusal.ts'

/** What became of a multi: all effects, or which part was refused and how. */
export type Decided =
  | { readonly kind: 'done'; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly at: number; readonly code: number }

/** Puts all changes into the draft. When one is refused, the draft must be thrown away. */
export function decideMulti(draft: Draft, parts: readonly PartRequest[], author: Author): Decided {
  const effects: Effect[] = []
  for (const [at, part] of parts.entries()) {
    try {
      effects.push(decide(draft, part, author))
    } catch (error) {
      if (error instanceof Refusal) return { kind: 'refused', at, code: error.code }
      throw error
    }
  }
  return { kind: 'done', effects }
}

/** The codes of the parts of a multi that was refused at one of them: those behind it were not looked at. */
export function codesOf(parts: readonly PartRequest[], at: number, refused: number): readonly number[] {
  return parts.map((_, i) => (i < at ? code.ok : i === at ? refused : code.runtimeInconsistency))
}
