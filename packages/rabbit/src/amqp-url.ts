import { HaError } from '@ha/core'
import { asError, didYouMean } from '@ha/core/driver'
import { rabbitError } from './errors.ts'
import type { RabbitOptions } from './options.ts'

/** The part of the options that a parameter of the URL sets. Throws a text that says what is expected. */
type ReadParameter = (text: string) => Partial<RabbitOptions>

// The names of this client first; then those that other clients write for the same option.
const readers: Readonly<Record<string, ReadParameter>> = {
  heartbeat: (text) => ({ liveness: { heartbeatMs: readHeartbeat(text) * 1_000 } }),
  name: (name) => ({ name }),
  connection_name: (name) => ({ name }),
  connection_timeout: (text) => ({ dial: { attemptMs: wholeNumber(text, 100, 60_000, 'milliseconds') } }),
  auth_mechanism: (text) => ({ mechanism: readMechanism(text) }),
  locale: (text) => {
    if (text === 'en_US') return {}
    throw new Error('expected en_US, the only locale of brokers; leave it out')
  },
}

const parameters: readonly string[] = ['heartbeat', 'name']

const takenFromBroker = (limit: string): string => `leave it out: the client takes ${limit} of the broker`
const inTls = (name: string): string => `leave it out, and set tls.${name} in the options beside the URL`

// Parameters of other clients without an option of this one, or whose option is written beside the URL.
const advice: Readonly<Record<string, string>> = {
  frame_max: takenFromBroker('the frame size'),
  channel_max: takenFromBroker('the number of channels'),
  cacertfile: inTls('ca'),
  certfile: inTls('cert'),
  keyfile: inTls('key'),
  verify: inTls('rejectUnauthorized'),
  ssl_options: 'leave it out, and set tls in the options beside the URL',
  server_name_indication: inTls('servername'),
  socket_timeout: 'write connection_timeout, in milliseconds (option dial.attemptMs)',
  connection_attempts: 'leave it out: the client connects for as long as it lives (options backoff and dial)',
  retry_delay: 'leave it out, and set backoff.baseMs in the options beside the URL',
  blocked_connection_timeout: 'leave it out, and set outbox.maxAgeMs in the options beside the URL',
  prefetch: 'leave it out, and set prefetch in the options of consume()',
  vhost: 'write the virtual host as the path of the URL',
}

// The same name is written in several ways, such as `frameMax`, `frame_max` and `frame-max`.
function nameOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/-/g, '_')
}

/**
 * Reads `amqp://user:password@n1:5672,n2:5672/vhost?heartbeat=8`: the usual URL with several hosts, or several URLs
 * separated by commas that differ in their hosts only. User and password are percent-decoded; a missing vhost is `/`, and
 * `/%2f` is as well. Never puts the password into an error.
 */
export function readAmqpUrl(text: string): RabbitOptions {
  const [first = '', ...others] = text.split(/,\s*(?=amqps?:\/\/)/i)
  return others.reduce((options, url) => merged(options, readOneUrl(url)), readOneUrl(first))
}

// Each URL may leave out what another one says; only the hosts may differ.
function merged(options: RabbitOptions, other: RabbitOptions): RabbitOptions {
  const { addresses, ...more } = other
  const isOther = (name: string, value: unknown): boolean =>
    JSON.stringify(options[name as keyof RabbitOptions] ?? value) !== JSON.stringify(value)
  const differs = Object.entries(more).find(([name, value]) => isOther(name, value))
  if (differs !== undefined || options.tls !== other.tls) {
    const name = differs?.[0] ?? 'scheme'
    throw rabbitError('config-invalid', `url: expected the same ${name} in all URLs`)
  }
  return { ...options, ...more, addresses: `${String(options.addresses)},${String(addresses)}` }
}

function readOneUrl(url: string): RabbitOptions {
  const match = /^(amqps?):\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(url)
  if (match === null) {
    throw new HaError('config-invalid', 'url: expected amqp://user:password@host:port,host:port/vhost')
  }
  const [, scheme = '', userinfo, hosts = '', vhost, query] = match
  // With an '@', '/' or '?' that is not encoded, a part of the password is where a host is expected: quote nothing here.
  if ([hosts, vhost, query].some((part) => part?.includes('@'))) {
    throw new HaError(
      'config-invalid',
      "url: write '@' in user or password as %40, '/' as %2F and '?' as %3F",
    )
  }
  return {
    addresses: hosts,
    ...(scheme.toLowerCase() === 'amqps' && { tls: true }),
    ...readUserinfo(userinfo),
    ...(vhost !== undefined && vhost !== '' && { vhost: decode(vhost, 'vhost') }),
    ...readQuery(query),
  }
}

function readUserinfo(userinfo: string | undefined): Pick<RabbitOptions, 'username' | 'password'> {
  if (userinfo === undefined) return {}
  const [username = '', ...rest] = userinfo.split(':')
  return {
    username: decode(username, 'user'),
    ...(rest.length > 0 && { password: decode(rest.join(':'), 'password') }),
  }
}

function readQuery(query: string | undefined): Partial<RabbitOptions> {
  const options: Partial<RabbitOptions>[] = []
  const seen = new Set<string>()
  for (const [key, value] of new URLSearchParams(query)) {
    const name = nameOf(key)
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (read === undefined) throw unknownParameter(key, name)
    if (seen.has(name)) throw rabbitError('config-invalid', `url?${key}: expected it once`)
    seen.add(name)
    try {
      options.push(read(value))
    } catch (thrown) {
      throw rabbitError('config-invalid', `url?${key}: ${asError(thrown).message}`)
    }
  }
  return Object.assign({}, ...options)
}

function unknownParameter(key: string, name: string): HaError {
  const text = Object.hasOwn(advice, name) ? advice[name] : undefined
  if (text !== undefined) return rabbitError('config-invalid', `url?${key}: ${text}`)
  const hint = didYouMean(key, parameters)
  // A name that resembles no parameter may be a part of a password with a '?' in it: do not quote it.
  const where = hint === '' ? 'url' : `url?${key}`
  const problem = `there is no such parameter, only ${parameters.join(' and ')}${hint}`
  return new HaError('config-invalid', `${where}: ${problem}`)
}

// AMQP counts heartbeats in seconds. Without them, a peer that is gone is found by probes only.
function readHeartbeat(text: string): number {
  if (/^(0|1)$/.test(text))
    throw new Error(
      'expected whole seconds from 2 to 600 (option liveness.heartbeatMs); leave it out for the default of 8 s',
    )
  return wholeNumber(text, 2, 600, 'seconds')
}

function readMechanism(text: string): 'PLAIN' | 'EXTERNAL' {
  const mechanism = text.toUpperCase()
  if (mechanism === 'PLAIN' || mechanism === 'EXTERNAL') return mechanism
  throw new Error('expected PLAIN or EXTERNAL (option mechanism)')
}

function wholeNumber(text: string, min: number, max: number, unit: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new Error(`expected whole ${unit} from ${min} to ${max}`)
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw rabbitError('config-invalid', `url: the ${part} is not percent-encoded correctly`, { cause })
  }
}
