/**
 * What an error means, on two axes. `scope` says what to do with what we know: `call` nothing, `connection` drop it,
 * `endpoint` go elsewhere, `cluster` every endpoint would say the same. `effect` and `transient` say what to do with
 * the operation: whether it may have happened, and whether trying again can help.
 */
export interface Verdict {
  readonly scope: 'call' | 'connection' | 'endpoint' | 'cluster'
  readonly effect: 'none' | 'unknown'
  readonly transient: boolean
}

/** Looks a code up in a table of verdicts; what is not in the table gets the fallback. */
export function verdictTable(
  entries: Readonly<Record<string, Verdict>>,
  fallback: Verdict,
): (code: string | number | undefined) => Verdict {
  const table = new Map(Object.entries(entries))
  return (code) => (code === undefined ? fallback : (table.get(String(code)) ?? fallback))
}
