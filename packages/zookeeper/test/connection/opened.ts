import { FakeClock, settle } from '@ha/core/testing'
import type { ZookeeperConnection } from '../../src/connection/connection.ts'
import { type ZookeeperDriverDeps, zookeeperDriver } from '../../src/connection/driver.ts'
import type { SessionGrant } from '../../src/connection/handshake.ts'
import type { ConnectRequest } from '../../src/protocol/packets.ts'
import { type Grant, type RawPeer, rawPair, welcome } from './raw-peer.ts'

export const endpoint = { host: 'zk1', port: 2181 }
export const never: AbortSignal = new AbortController().signal

export const newSession: ConnectRequest = {
  sessionId: 0n,
  password: Buffer.alloc(16),
  lastZxid: 0n,
  timeoutMs: 6_000,
}

/** A dial over a stream in memory, and what its parts were told. */
export interface Dialled {
  readonly clock: FakeClock
  readonly peer: RawPeer
  readonly granted: SessionGrant[]
  readonly expired: bigint[]
  /** What `open` came to. */
  readonly opening: Promise<ZookeeperConnection>
  readonly abort: AbortController
}

/** Begins to open a connection, up to the hello that the peer has heard. */
export async function dialled(parts: Partial<ZookeeperDriverDeps> = {}): Promise<Dialled> {
  const clock = new FakeClock()
  const { stream, peer } = rawPair()
  const granted: SessionGrant[] = []
  const expired: bigint[] = []
  const abort = new AbortController()
  const driver = zookeeperDriver({
    clock,
    connectRequest: () => newSession,
    onGranted: (grant) => granted.push(grant),
    onExpired: (sessionId) => expired.push(sessionId),
    dial: async () => stream,
    ...parts,
  })
  const opening = driver.open(endpoint, abort.signal)
  opening.catch(() => undefined)
  await settle()
  return { clock, peer, granted, expired, opening, abort }
}

/** An open connection, its peer, and its clock. */
export async function opened(
  parts: Partial<ZookeeperDriverDeps> = {},
  grant: Grant = {},
): Promise<Dialled & { readonly connection: ZookeeperConnection }> {
  const dial = await dialled(parts)
  dial.peer.say(welcome(grant))
  return { ...dial, connection: await dial.opening }
}
