import type { Duplex } from 'node:stream'
import { type Clock, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Connect, deferred, raceAbort, withDeadline } from '@ha/core/driver'

/** What one server says of itself, or why it says nothing. */
export interface ServerHealth {
  /** `host:port`. */
  readonly endpoint: string
  /** Undefined when it did not say: it is away, or its four-letter word `srvr` is not allowed. */
  readonly mode: 'leader' | 'follower' | 'observer' | 'standalone' | 'read-only' | undefined
  readonly version: string | undefined
  /** The latest transaction that it has. */
  readonly zxid: bigint | undefined
  readonly connections: number | undefined
  /** How long it took to answer, in milliseconds. */
  readonly tookMs: number | undefined
  readonly error: Error | undefined
}

/** Asks one server, on a connection of its own. Never rejects. */
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
    return { endpoint: name, ...parseServerStatus(said), tookMs: clock.now() - fromMs, error: undefined }
  } catch (thrown) {
    return { endpoint: name, ...parseServerStatus(''), tookMs: undefined, error: asError(thrown) }
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

// An answer of `srvr` has some two hundred bytes.
const mostBytes = 64 * 1024

function readAll(stream: Duplex): Promise<string> {
  const said = deferred<string>()
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (text.length > mostBytes) said.reject(new Error('it answers without an end'))
  })
  stream.once('end', () => said.resolve(text))
  stream.once('close', () => said.resolve(text))
  stream.on('error', said.reject)
  stream.write('srvr')
  return said.promise
}

const modes = ['leader', 'follower', 'observer', 'standalone', 'read-only'] as const

/** Reads what a server says to `srvr`; what is not there is undefined. */
function parseServerStatus(said: string): Pick<ServerHealth, 'mode' | 'version' | 'zxid' | 'connections'> {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: *(\\S+)`, 'im').exec(said)?.[1]?.replace(/,$/, '')
  const mode = field('Mode')
  const zxid = field('Zxid')
  const connections = field('Connections')
  return {
    mode: modes.find((each) => each === mode),
    // Debian's build has what follows the number not filled in.
    version: field('Zookeeper version')?.replace(/-.*$/, ''),
    zxid: zxid !== undefined && /^0x[0-9a-f]+$/i.test(zxid) ? BigInt(zxid) : undefined,
    connections: connections === undefined ? undefined : Number(connections),
  }
}
