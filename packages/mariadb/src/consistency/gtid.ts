/** How far the data had come after a write: `domain-server-sequence`, or several of them with commas. */
export type Gtid = string

/** Whether a position is further than another one: of the same domain, with a higher sequence. */
export function isLater(a: Gtid, b: Gtid): boolean {
  const before = new Map(positions(b).map(({ domain, sequence }) => [domain, sequence]))
  return positions(a).some(({ domain, sequence }) => sequence > (before.get(domain) ?? -1n))
}

/** Whether a server gave a position at all: an empty one, or one of a session that wrote nothing, says nothing. */
export function isPosition(gtid: unknown): gtid is Gtid {
  return typeof gtid === 'string' && positions(gtid).some(({ sequence }) => sequence > 0n)
}

interface Position {
  readonly domain: string
  readonly sequence: bigint
}

function positions(gtid: Gtid): readonly Position[] {
  return gtid
    .split(',')
    .map((text) => text.trim())
    .flatMap((text) => {
      const match = /^(\d+)-\d+-(\d+)$/.exec(text)
      if (match === null) return []
      const [, domain = '', sequence = '0'] = match
      return [{ domain, sequence: BigInt(sequence) }]
    })
}
