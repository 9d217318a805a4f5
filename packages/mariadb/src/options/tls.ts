import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { invalidOption } from '@ha/core/driver'
import type { TlsChoice, TlsMode } from './resolved-options.ts'
import { nonEmptyText, oneOfWords, type ValueReader } from './value-readers.ts'

/** The option `tls`: false, true (`verify-full`), a mode, or a mode with options of `node:tls`. */
export type TlsInput =
  | boolean
  | TlsMode
  | { readonly mode?: TlsMode | undefined; readonly options?: TlsOptions | undefined }

const modes: readonly TlsMode[] = ['off', 'trust', 'verify-ca', 'verify-full']

/** Reads `tls`; undefined when it is not given. Options without a mode imply `verify-full`. */
export function readTls(value: unknown, path: string): TlsChoice | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'boolean') return { mode: value ? 'verify-full' : 'off', options: {} }
  if (typeof value === 'string') return { mode: readMode(value, path), options: {} }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected(path)
  const { mode, options, ...unknownOptions }: Record<string, unknown> = { ...value }
  if (Object.keys(unknownOptions).length > 0) throw unexpected(path)
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw invalidOption(`${path}.options`, 'expected the options of node:tls')
  }
  return {
    mode: mode === undefined ? 'verify-full' : readMode(mode, `${path}.mode`),
    options: { ...options },
  }
}

/** The settings in the form of `node:tls`. The mode takes precedence over the options. */
export function frozenTls({ mode, options }: TlsChoice): TlsChoice {
  return Object.freeze({
    mode,
    options: Object.freeze(mode === 'off' ? {} : { ...options, ...meaning[mode] }),
  })
}

const meaning: Readonly<Record<Exclude<TlsMode, 'off'>, TlsOptions>> = {
  trust: { rejectUnauthorized: false },
  'verify-ca': { rejectUnauthorized: true, checkServerIdentity: () => undefined },
  'verify-full': { rejectUnauthorized: true },
}

/** Reads Java's `sslMode`, including the names of MySQL. */
export const javaSslMode: ValueReader<TlsMode> = oneOfWords(
  new Map<string, TlsMode>([
    ['disable', 'off'],
    ['trust', 'trust'],
    ['verify-ca', 'verify-ca'],
    ['verify-full', 'verify-full'],
    ['disabled', 'off'],
    ['required', 'trust'],
    ['verify_ca', 'verify-ca'],
    ['verify_full', 'verify-full'],
    ['verify_identity', 'verify-full'],
    ['false', 'off'],
    ['0', 'off'],
    ['true', 'verify-full'],
    ['1', 'verify-full'],
  ]),
)

function readMode(value: unknown, path: string): TlsMode {
  const mode = modes.find((candidate) => candidate === value)
  if (mode === undefined) throw invalidOption(path, `expected one of ${modes.join(', ')}`)
  return mode
}

function unexpected(path: string): Error {
  return invalidOption(path, `expected true, false, one of ${modes.join(', ')}, or { mode, options }`)
}

/** Reads Java's `serverSslCert`: a certificate in PEM, or the path of a file that holds one in PEM or DER. Returns PEM. */
export const certificate: ValueReader<string> = (value, place) => {
  const given = nonEmptyText(value, place)
  if (given.includes(begin)) return given
  if (given.startsWith('classpath:'))
    throw invalidOption(place, 'class paths are not supported: write the path of a file')
  const bytes = readOnce(given, place)
  return bytes.includes(begin) ? bytes.toString('latin1') : pemOf(bytes, place)
}

const begin = '-----BEGIN'

// Read synchronously, once, when the client is created.
function readOnce(path: string, place: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw invalidOption(place, 'expected a certificate or a readable file', cause)
  }
}

function pemOf(der: Buffer, place: string): string {
  try {
    return new X509Certificate(der).toString()
  } catch (cause) {
    throw invalidOption(place, 'the file contains no certificate in PEM or DER', cause)
  }
}
