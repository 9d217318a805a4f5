import { type CoreCode, type HaError, isHaError } from './ha-error.ts'

/**
 * What an error means, on two axes. `scope` says what failed: only the `call`, the `connection`, the `endpoint`, or the
 * whole `cluster`, where every endpoint would answer the same. `effect` and `transient` concern the operation: whether
 * it may have happened, and whether repeating it can help.
 */
export interface Verdict {
  readonly scope: 'call' | 'connection' | 'endpoint' | 'cluster'
  readonly effect: 'none' | 'unknown'
  readonly transient: boolean
}

/** The verdicts that the tables of the clients are written with. */
export const verdicts: Readonly<Record<VerdictName, Verdict>> = {
  /** The operation was refused and had no effect; repeating it is refused again. */
  final: { scope: 'call', effect: 'none', transient: false },
  /** The operation had no effect; the same server may accept it later. */
  later: { scope: 'call', effect: 'none', transient: true },
  /** The operation may have happened. */
  uncertain: { scope: 'call', effect: 'unknown', transient: true },
  /** The operation may have happened, and repeating it does not help. */
  uncertainFinal: { scope: 'call', effect: 'unknown', transient: false },
  /** The operation had no effect; it needs another connection. */
  reconnect: { scope: 'connection', effect: 'none', transient: true },
  /** The connection failed while the operation was under way. */
  connectionLost: { scope: 'connection', effect: 'unknown', transient: true },
  /** The server does not take the operation; another server may. */
  elsewhere: { scope: 'endpoint', effect: 'none', transient: true },
  /** The server failed while the operation was under way. */
  endpointLost: { scope: 'endpoint', effect: 'unknown', transient: true },
  /** Every server would refuse, for a reason that waiting does not cure. */
  everywhere: { scope: 'cluster', effect: 'none', transient: false },
}

type VerdictName =
  | 'final'
  | 'later'
  | 'uncertain'
  | 'uncertainFinal'
  | 'reconnect'
  | 'connectionLost'
  | 'elsewhere'
  | 'endpointLost'
  | 'everywhere'

/** A verdict for a code whose meaning depends on the text of the error. */
export interface TextRule {
  readonly code: string | number
  readonly text: RegExp
  readonly verdict: Verdict
}

/**
 * Looks up a code in a table of verdicts; a code that is not in the table gets the fallback. A rule by text takes
 * precedence over the table: it is for codes that a server uses with two meanings.
 */
export function verdictTable(
  byServerCode: Readonly<Record<string, Verdict>>,
  fallback: Verdict,
  byText: readonly TextRule[] = [],
): (code: string | number | undefined, text?: string) => Verdict {
  const table = new Map(Object.entries(byServerCode))
  return (code, text) => {
    if (code === undefined) return fallback
    const rule = text === undefined ? undefined : byText.find((each) => applies(each, code, text))
    return rule?.verdict ?? table.get(String(code)) ?? fallback
  }
}

function applies(rule: TextRule, code: string | number, text: string): boolean {
  return String(rule.code) === String(code) && rule.text.test(text)
}

// One row for each code of core. Codes of a client (its `codes`) come on top.
const byCoreCode: Readonly<Record<CoreCode, Verdict>> = {
  'config-invalid': verdicts.final,
  exhausted: verdicts.later,
  unreachable: verdicts.elsewhere,
  refused: verdicts.everywhere,
  unresponsive: verdicts.endpointLost,
  lost: verdicts.endpointLost,
  'timed-out': verdicts.uncertain,
  aborted: verdicts.uncertainFinal,
  // Errors of operations that ran inside the failed one: what those did is not known here.
  closed: verdicts.uncertain,
  'failed-back': verdicts.uncertain,
  rejected: verdicts.uncertain,
  'outcome-unknown': verdicts.uncertain,
  'retry-budget-exhausted': verdicts.uncertain,
  internal: verdicts.uncertain,
}

/** What a client adds to the classification of core. */
export interface ClassificationRules {
  /** The verdicts of the client's own codes. They take precedence over those of core. */
  readonly codes?: Readonly<Record<string, Verdict>>
  /** The verdict on an error of ours that carries a server code; undefined: the code of the error decides. */
  readonly serverCode?: (serverCode: string | number, error: HaError) => Verdict | undefined
  /** The verdict on an error of the driver, the server or Node.js; undefined: nothing is known of it. */
  readonly foreign?: (error: unknown) => Verdict | undefined
}

/**
 * Makes the `classify` of a driver: one table for the codes of core, one for those of the client. An error that is in
 * no table is `uncertain`: the operation may have happened.
 */
export function classifier({
  codes = {},
  serverCode,
  foreign,
}: ClassificationRules): (error: unknown) => Verdict {
  const byCode = verdictTable({ ...byCoreCode, ...codes }, verdicts.uncertain)
  return (error) => {
    if (!isHaError(error)) return foreign?.(error) ?? verdicts.uncertain
    const byServer = error.serverCode === undefined ? undefined : serverCode?.(error.serverCode, error)
    return byServer ?? byCode(error.code)
  }
}

/** Whether a connection failed because of a certificate: retrying does not cure that. */
export function isCertificateError(error: Error): boolean {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)
}

// What OpenSSL reports when the other side answers a TLS handshake with bytes that are no TLS.
const answersWithoutTls: readonly unknown[] = [
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNKNOWN_PROTOCOL',
]

/** Why a dial failed, in one line: a failure of TLS in words instead of the report of OpenSSL. */
export function dialFailureText(error: Error): string {
  const { code, reason } = error as Error & { readonly code?: unknown; readonly reason?: unknown }
  if (answersWithoutTls.includes(code)) {
    return `the server does not speak TLS on this port (${code}): connect without TLS, or to its TLS port`
  }
  return typeof reason === 'string' && /:SSL routines:/.test(error.message)
    ? `TLS failed: ${reason} (${code})`
    : error.message
}
