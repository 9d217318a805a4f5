import { checkWhole } from './invalid-rule.ts'

/** A place in the bytes of a request or of its answer. */
export type ByteEdge = { readonly requestByte: number } | { readonly answerByte: number }

/**
 * Where in a request it happens. `before` (default): the server never sees it. `unanswered`: it is done and nobody is
 * told. `after`: behind the whole answer. `requestByte`: so many bytes of the request arrive, and it is done only when
 * these are all. `answerByte`: it is done, and so many bytes of the answer leave.
 */
export type Edge = 'before' | 'unanswered' | 'after' | ByteEdge

/** What became of something that a client did: the server did it, a rule answered it, or it was lost on the way. */
export type Fate = 'done' | 'scripted' | 'lost'

/** Whether a request of so many bytes does not get past this edge: the server never sees it. */
export function isLostAt(edge: Edge, requestBytes: number): boolean {
  if (typeof edge === 'string') return edge === 'before'
  return 'requestByte' in edge && edge.requestByte < requestBytes
}

/** How much of an answer gets past this edge. */
export function saidUntil(edge: Edge, answer: Buffer): Buffer {
  if (typeof edge === 'string') return edge === 'after' ? answer : answer.subarray(0, 0)
  return answer.subarray(0, 'answerByte' in edge ? edge.answerByte : 0)
}

/** Throws `config-invalid` at a place that no bytes have. */
export function checkEdge(at: ByteEdge): void {
  if ('requestByte' in at) checkWhole('at.requestByte', at.requestByte, 0)
  else checkWhole('at.answerByte', at.answerByte, 0)
}
