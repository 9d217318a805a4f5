/** What every session must have, by the variable that would change it: why no session has it otherwise. */
const reasons: ReadonlyMap<string, string> = new Map([
  ['autocommit', 'a statement outside transaction() commits by itself'],
  ['completion_type', 'a COMMIT ends a transaction and begins none'],
  ['tx_read_only', 'transactions that only read are asked for one by one: readOnly()'],
  ['transaction_read_only', 'transactions that only read are asked for one by one: readOnly()'],
  ['sql_log_bin', 'a write that is not logged is on no replica'],
  ['wsrep_on', 'a write that is not replicated is on no other node'],
  // Dates are read in the session's zone: two places that name it could disagree.
  ['time_zone', 'it has an option of its own: session.timeZone'],
])

/** Why a variable is not to be set; undefined when it may be. */
export function whyFixed(variable: string): string | undefined {
  const name = variable.toLowerCase()
  const reason = reasons.get(name)
  return reason === undefined ? undefined : `${name} cannot be set here: ${reason}`
}

// What a `SET` assigns to for its session, each behind a comma or the first word.
const assigned = /(?:^SET\s+|,\s*)(?:(?:SESSION|LOCAL)\s+|@@(?:(?:SESSION|LOCAL)\.)?)?`?(\w+)`?\s*:?=/gi

const texts = /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"/gs

/**
 * Why a statement is none to begin a session with, as far as its text shows it; undefined when it may be. What a
 * procedure does is not seen.
 */
export function whyNoBeginning(sql: string): string | undefined {
  const text = sql.trim().replaceAll(texts, "''")
  if (/^(?:BEGIN\s*;?$|START\s+TRANSACTION\b)/i.test(text))
    return 'a transaction that is left open would take the first writes of the session along'
  if (!/^SET\s/i.test(text)) return undefined
  for (const [, name = ''] of text.matchAll(assigned)) {
    const why = whyFixed(name)
    if (why !== undefined) return why
  }
  return undefined
}
