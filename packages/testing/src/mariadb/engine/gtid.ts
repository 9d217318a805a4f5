// Domain and server of every commit: there is one history, whoever wrote it.
const origin = '0-1-'

/** The global id of a commit, such as `0-1-42`. */
export function gtidOf(seqno: number): string {
  return `${origin}${seqno}`
}

/** The number of the commit in a global id; undefined when it is none. */
export function seqnoOf(gtid: string): number | undefined {
  const [, digits] = /^\d+-\d+-(\d+)$/.exec(gtid.trim()) ?? []
  return digits === undefined ? undefined : Number(digits)
}
