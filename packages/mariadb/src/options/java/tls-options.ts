import { certificate } from '../certificate.ts'
import type { TlsMode } from '../resolved.ts'
import { flag, misspelt, type Spelling, words } from '../spelling.ts'
import { javaSslMode, type TlsInput } from '../tls.ts'

/** What a URL says of TLS, in the words of three generations of Connector/J. */
export interface TlsWords {
  readonly sslMode?: TlsMode
  readonly useSsl?: boolean
  readonly requireSsl?: boolean
  readonly trustServerCertificate?: boolean
  readonly disableSslHostnameVerification?: boolean
  readonly verifyServerCertificate?: boolean
  readonly ca?: string
  readonly versions?: Versions
}

interface Versions {
  readonly minVersion: Version
  readonly maxVersion: Version
}

type Version = (typeof versions)[number]

/** An option that is one of several words for `tls`. */
export interface TlsOption {
  readonly kind: 'tls'
  readonly word: keyof TlsWords
  readonly read: Spelling
}

/** Options of Connector/J that make up `tls` together. */
export const tlsOptions: Readonly<Record<string, TlsOption>> = {
  sslMode: { kind: 'tls', word: 'sslMode', read: javaSslMode },
  useSsl: { kind: 'tls', word: 'useSsl', read: flag },
  requireSSL: { kind: 'tls', word: 'requireSsl', read: flag },
  trustServerCertificate: { kind: 'tls', word: 'trustServerCertificate', read: flag },
  disableSslHostnameVerification: { kind: 'tls', word: 'disableSslHostnameVerification', read: flag },
  verifyServerCertificate: { kind: 'tls', word: 'verifyServerCertificate', read: flag },
  serverSslCert: { kind: 'tls', word: 'ca', read: certificate },
  enabledSslProtocolSuites: { kind: 'tls', word: 'versions', read: readVersions },
  enabledTLSProtocols: { kind: 'tls', word: 'versions', read: readVersions },
}

/** What the words come to together; undefined when nothing was said. `sslMode` counts before the older words. */
export function tlsOfWords(words: TlsWords): Exclude<TlsInput, boolean | TlsMode> | undefined {
  if (Object.keys(words).length === 0) return undefined
  const { ca, versions } = words
  return { mode: modeOf(words), options: { ...(ca !== undefined && { ca }), ...versions } }
}

function modeOf(words: TlsWords): TlsMode {
  if (words.sslMode !== undefined) return words.sslMode
  if (words.useSsl !== true && words.requireSsl !== true) return 'off'
  if (words.trustServerCertificate === true || words.verifyServerCertificate === false) return 'trust'
  return words.disableSslHostnameVerification === true ? 'verify-ca' : 'verify-full'
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const

function readVersions(value: unknown, place: string): Versions {
  const named = new Set(words(value, place).split(/[\s,]+/))
  const known = versions.filter((version) => named.has(version))
  const [minVersion] = known
  const maxVersion = known.at(-1)
  if (minVersion === undefined || maxVersion === undefined || known.length < named.size) {
    throw misspelt(place, `expected versions of TLS: ${versions.join(', ')}`)
  }
  return { minVersion, maxVersion }
}
