/** How far the data had come after a write, as the server names it. */
export interface CausalToken {
  readonly kind: 'galera' | 'replication'
  /** Of Galera and of replication alike: `domain-server-sequence`. */
  readonly gtid: string
}

/** Whether a position is further than another one: of the same domain, with a higher sequence. */
export function isLater(a: CausalToken, b: CausalToken): boolean {
  if (a.kind !== b.kind) return true
  const before = new Map(positions(b.gtid).map(({ domain, sequence }) => [domain, sequence]))
  return positions(a.gtid).some(({ domain, sequence }) => sequence > (before.get(domain) ?? -1n))
}

/** Whether a server gave a position at all: an empty one, or one of a session that wrote nothing, says nothing. */
export function isPosition(gtid: unknown): gtid is string {
  return typeof gtid === 'string' && positions(gtid).some(({ sequence }) => sequence > 0n)
}

interface Position {
  readonly domain: string
  readonly sequence: bigint
}

function positions(gtid: string): readonly Position[] {
  return gtid
    .split(',')
    .map((text) => text.trim())
    .flatMap((text) => {
      const match = /^(?:(\d+)-\d+-(\d+)|([0-9a-f-]{36}):(\d+))$/.exec(text)
      if (match === null) return []
      const [, domain, sequence, uuid, seqno] = match
      return [{ domain: domain ?? uuid ?? '', sequence: BigInt(sequence ?? seqno ?? 0) }]
    })
}
