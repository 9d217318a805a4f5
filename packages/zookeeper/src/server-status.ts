import type { Duplex } from 'node:stream'
import { type Clock, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Connect, deferred, raceAbort, withDeadline } from '@ha/core/driver'
import { jsonSafe } from './protocol/requests.ts'

/** The status of one server, or why it gave none. `JSON.stringify` writes the zxid as a decimal text. */
export interface ServerHealth {
  /** `host:port`. */
  readonly endpoint: string
  /**
   * Undefined when the server gave no status: it cannot be reached, or does not allow the four-letter word `srvr`.
   */
  readonly mode: 'leader' | 'follower' | 'observer' | 'standalone' | 'read-only' | undefined
  readonly version: string | undefined
  /** The zxid of the latest transaction that the server has. */
  readonly zxid: bigint | undefined
  readonly connections: number | undefined
  /** The time until the answer, in milliseconds. */
  readonly tookMs: number | undefined
  readonly error: Error | undefined
}

/** Asks one server for its status, over a separate connection. Never rejects. */
export async function fetchServerStatus(
  connect: Connect,
  clock: Clock,
  endpoint: Endpoint,
  timeoutMs: number,
): Promise<ServerHealth> {
  const name = formatEndpoint(endpoint)
  const fromMs = clock.now()
  const expired = (): HaError =>
    new HaError('timed-out', `${name}: no answer within ${timeoutMs} ms`, { endpoint: name })
  try {
    const said = await withDeadline(clock, { timeoutMs, expired }, (signal) =>
      exchange(connect, endpoint, signal),
    )
    const tookMs = clock.now() - fromMs
    return jsonSafe({ endpoint: name, ...parseServerStatus(said), tookMs, error: undefined })
  } catch (thrown) {
    return jsonSafe({ endpoint: name, ...parseServerStatus(''), tookMs: undefined, error: asError(thrown) })
  }
}

async function exchange(connect: Connect, endpoint: Endpoint, signal: AbortSignal): Promise<string> {
  const stream = await connect(endpoint, signal)
  try {
    return await raceAbort(readAll(stream), signal, () => undefined)
  } finally {
    stream.destroy()
  }
}

// An answer to `srvr` has about two hundred bytes.
const maxBytes = 64 * 1024

function readAll(stream: Duplex): Promise<string> {
  const said = deferred<string>()
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (text.length > maxBytes) said.reject(new Error('the answer is longer than 64 KiB'))
  })
  stream.once('end', () => said.resolve(text))
  stream.once('close', () => said.resolve(text))
  stream.on('error', said.reject)
  stream.write('srvr')
  return said.promise
}

const modes = ['leader', 'follower', 'observer', 'standalone', 'read-only'] as const

/** Parses the answer to `srvr`; missing fields are undefined. */
function parseServerStatus(said: string): Pick<ServerHealth, 'mode' | 'version' | 'zxid' | 'connections'> {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: *(\\S+)`, 'im').exec(said)?.[1]?.replace(/,$/, '')
  const mode = field('Mode')
  const zxid = field('Zxid')
  const connections = field('Connections')
  return {
    mode: modes.find((each) => each === mode),
    // Debian's build does not fill in what follows the version number.
    version: field('Zookeeper version')?.replace(/-.*$/, ''),
    zxid: zxid !== undefined && /^0x[0-9a-f]+$/i.test(zxid) ? BigInt(zxid) : undefined,
    connections: connections === undefined ? undefined : Number(connections),
  }
}
