import { FakeClock, settle } from '@ha/core/testing'
import type { ZookeeperConnection } from '../../src/connection/connection.ts'
import { type ZookeeperDriverDeps, zookeeperDriver } from '../../src/connection/driver.ts'
import type { SessionGrant } from '../../src/connection/handshake.ts'
import type { ConnectRequest } from '../../src/protocol/packets.ts'
import { connectResponse, type Grant, type RawPeer, rawPair } from './raw-peer.ts'

export const endpoint = { host: 'zk1', port: 2181 }
export const never: AbortSignal = new AbortController().signal

export const newSession: ConnectRequest = {
  sessionId: 0n,
  password: Buffer.alloc(16),
  lastZxid: 0n,
  timeoutMs: 6_000,
}

/** A connection that is being opened over an in-memory stream, and the calls of its dependencies. */
export interface OpeningConnection {
  readonly clock: FakeClock
  readonly peer: RawPeer
  readonly granted: SessionGrant[]
  readonly expired: bigint[]
  /** The result of `open`. */
  readonly opening: Promise<ZookeeperConnection>
  readonly abort: AbortController
}

export interface OpenOptions extends Partial<ZookeeperDriverDeps> {
  readonly connectRequest?: () => ConnectRequest
}

/** Starts to open a connection, until the peer has received the connect request. */
export async function startConnection({
  connectRequest = () => newSession,
  ...deps
}: OpenOptions = {}): Promise<OpeningConnection> {
  const clock = new FakeClock()
  const { stream, peer } = rawPair()
  const granted: SessionGrant[] = []
  const expired: bigint[] = []
  const abort = new AbortController()
  const driver = zookeeperDriver({
    clock,
    sessions: {
      connectRequest,
      sessionGranted: (grant) => granted.push(grant),
      sessionExpired: (sessionId) => expired.push(sessionId),
    },
    dial: async () => stream,
    ...deps,
  })
  const opening = driver.open(endpoint, abort.signal)
  opening.catch(() => undefined)
  await settle()
  return { clock, peer, granted, expired, opening, abort }
}

/** An open connection, its peer, and its clock. */
export async function openConnection(
  options: OpenOptions = {},
  grant: Grant = {},
): Promise<OpeningConnection & { readonly connection: ZookeeperConnection }> {
  const dial = await startConnection(options)
  dial.peer.say(connectResponse(grant))
  return { ...dial, connection: await dial.opening }
}
