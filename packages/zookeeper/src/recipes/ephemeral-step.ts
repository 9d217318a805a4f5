import type { Node } from '../node.ts'

/** What is to be at a path. */
export type Wish = { readonly kind: 'present'; readonly data: Buffer } | { readonly kind: 'absent' }

/** What is known of ourselves when a node is looked at. */
export interface Claim {
  readonly sessionId: bigint
  /** True of a session that this client had before. */
  readonly wasOurs: (sessionId: bigint) => boolean
  /** The czxid of the node that was held last. */
  readonly lastHeld: bigint | undefined
  /** Whether a node that another session holds is an earlier life of ours. */
  readonly takesOver: (node: Node) => boolean
}

/** What to do next, for the wish to come true. */
export type Step =
  /** Nothing: what is there is what was wished for. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'make'; readonly data: Buffer }
  | { readonly kind: 'write'; readonly data: Buffer; readonly version: number }
  /** Delete and make in one multi: no reader sees it missing, and nobody comes in between. */
  | { readonly kind: 'replace'; readonly data: Buffer; readonly version: number }
  | { readonly kind: 'remove'; readonly version: number }
  /** It is somebody else's. */
  | { readonly kind: 'wait' }

/** Whose a node is: of our session, of an earlier life of ours, or a stranger's. */
export type Owner = 'us' | 'earlier-us' | 'stranger'

export function ownerOf(node: Node, claim: Claim): Owner {
  const { ephemeralOwner, czxid } = node.stat
  if (ephemeralOwner === claim.sessionId) return 'us'
  if (claim.wasOurs(ephemeralOwner)) return 'earlier-us'
  // Who came after us took the name from us: to take it back would go on for ever.
  const isNewer = claim.lastHeld !== undefined && czxid > claim.lastHeld
  return !isNewer && claim.takesOver(node) ? 'earlier-us' : 'stranger'
}

/** What to do about what was seen at the path; `node` is undefined when there is none. */
export function nextStep(node: Node | undefined, wish: Wish, claim: Claim): Step {
  return wish.kind === 'present' ? towardsPresent(node, wish.data, claim) : towardsAbsent(node, claim)
}

function towardsPresent(node: Node | undefined, data: Buffer, claim: Claim): Step {
  if (node === undefined) return { kind: 'make', data }
  const { version } = node.stat
  switch (ownerOf(node, claim)) {
    case 'us':
      return node.data.equals(data) ? { kind: 'settled' } : { kind: 'write', data, version }
    case 'earlier-us':
      return { kind: 'replace', data, version }
    case 'stranger':
      return { kind: 'wait' }
  }
}

function towardsAbsent(node: Node | undefined, claim: Claim): Step {
  if (node === undefined || ownerOf(node, claim) === 'stranger') return { kind: 'settled' }
  return { kind: 'remove', version: node.stat.version }
}
