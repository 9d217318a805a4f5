import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Endpoint, FullJitter } from '@ha/core'
import {
  backoff,
  checked,
  count,
  flag,
  group,
  invalidOption,
  milliseconds,
  type OptionTable,
  parseConnectString,
  tls,
} from '@ha/core/driver'
import { defaultMaxReplyBytes, defaultMaxRequestBytes } from './connection/in-flight.ts'
import type { Acl } from './node.ts'
import { type AclOf, checkAcl, creatorOnly, openToAll, sharedParent } from './operations/acl.ts'
import { resolveOptions } from './operations/call-options.ts'
import type { AuthInfo } from './protocol/requests.ts'

/** The options of `createZookeeper`, checked and completed. */
export interface ResolvedOptions {
  readonly servers: Servers
  /** The requested session timeout in milliseconds; the servers may grant another one. */
  readonly sessionTimeoutMs: number
  readonly operationTimeoutMs: number
  /** The time for the connection to one server and its handshake, in milliseconds. */
  readonly connectTimeoutMs: number
  readonly backoff: FullJitter
  readonly liveness: LivenessOptions
  readonly auth: readonly AuthInfo[]
  /** The ACL of a node that a call creates. */
  readonly aclOf: AclOf
  /** The ACL of the parents that a call creates on its way, and of the chroot. */
  readonly parentAclOf: AclOf
  readonly tls: TlsOptions | undefined
  readonly ensureChroot: boolean
  readonly maxOperations: number
  readonly maxRequestBytes: number
  readonly maxReplyBytes: number
}

/** The servers, and the node that all paths are below. */
export interface Servers {
  readonly endpoints: readonly Endpoint[]
  /** Empty, or such as `/app`. */
  readonly chroot: string
}

/** When a silent server is probed, and when it is given up. */
export interface LivenessOptions {
  /** After this time without a byte from the server, it is probed. In milliseconds. */
  readonly probeAfterMs: number
  /**
   * The server is given up when neither the connection nor a second one beside it answers within this time. In
   * milliseconds.
   */
  readonly probeTimeoutMs: number
}

/** Credentials that are added to each session (`addAuthInfo`). */
export interface AuthOptions {
  /** For example `digest`. */
  readonly scheme: string
  /** For `digest`: `user:password`. Sent to the servers only; it is in no error and no log. */
  readonly value: string | Uint8Array
}

/** The options of `createZookeeper`. Only `connect` has no default. */
export interface ZookeeperOptions {
  /** The servers, and the chroot once at the end: `zk1:2181,zk2:2181,[::1]:2181/app`, or a list of such texts. */
  readonly connect: string | readonly string[]
  /**
   * The requested session timeout, in milliseconds. Default 12 000: six ticks of servers with the usual tick of 2 s.
   * Leases need that much to be safe from a leader that is partitioned and has not noticed.
   */
  readonly sessionTimeoutMs?: number
  /**
   * The deadline of a call without a `timeoutMs`, in milliseconds. Default 10 000, or the session timeout when it is
   * less.
   */
  readonly operationTimeoutMs?: number
  /**
   * The time for the connection to one server and its handshake, in milliseconds. Default: its share of a third of the
   * session timeout, at least 1 s and at most 3 s.
   */
  readonly connectTimeoutMs?: number
  /**
   * The waits between rounds in which no server could be reached, with full jitter. Default 50 ms to a sixteenth of the
   * session timeout.
   */
  readonly backoff?: Partial<FullJitter>
  /**
   * Default: probed after a sixth of the session timeout, at most 2 s; given up after another second, at most a third.
   */
  readonly liveness?: Partial<LivenessOptions>
  readonly auth?: readonly AuthOptions[]
  /**
   * The ACL of new nodes and of the parents that are created with them, or a function of the path. Default: open to all;
   * with `auth`, nodes are for the creator only, and everybody may read created parents, and create and delete below them.
   */
  readonly acl?: readonly Acl[] | ((path: string) => readonly Acl[])
  /** True, or options of `node:tls`. Default: no TLS. */
  readonly tls?: boolean | TlsOptions
  /** Creates the chroot when it is missing. Default false. */
  readonly ensureChroot?: boolean
  /**
   * How many operations may be under way or wait for a connection. Default 10 000; more are rejected with `exhausted`.
   */
  readonly maxOperations?: number
  /**
   * The longest request, in bytes: `jute.maxbuffer` of the servers. Default 1 048 575; from 1 024 to 256 MiB. More is
   * rejected with `too-large`, and nothing is sent.
   */
  readonly maxRequestBytes?: number
  /**
   * The longest reply that is kept, in bytes, such as a list of children. Default 4 198 400; from 1 024 to 1 GiB. A longer
   * one is rejected with `too-large`; a recursive delete manages without the whole list.
   */
  readonly maxReplyBytes?: number
}

/** Checks and completes options or a connect string. Throws one `config-invalid` that names every problem. */
export function resolveZookeeperOptions(input: string | ZookeeperOptions): ResolvedOptions {
  const given = typeof input === 'string' ? { connect: input } : input
  const first = resolveOptions(optionTable, given, 'zookeeper')
  return completeOptions(first)
}

interface GivenOptions extends Omit<ResolvedOptions, 'servers' | 'aclOf' | 'parentAclOf'> {
  readonly connect: Servers
  readonly acl: AclOf | undefined
}

// Stands for a default that is derived from other options.
const derivedDefault = 0

const optionTable: OptionTable<GivenOptions> = {
  connect: checked(readConnect, { endpoints: [], chroot: '' }),
  // The servers allow 2 to 20 of their ticks: 4 to 40 s by default.
  sessionTimeoutMs: milliseconds({ default: 12_000, min: 500, max: 3_600_000 }),
  operationTimeoutMs: milliseconds({ default: derivedDefault, min: 1, max: 3_600_000 }),
  connectTimeoutMs: milliseconds({ default: derivedDefault, min: 50, max: 60_000 }),
  backoff: backoff({ baseMs: 50, maxMs: derivedDefault }),
  liveness: group({
    probeAfterMs: milliseconds({ default: derivedDefault, min: 50, max: 600_000 }),
    probeTimeoutMs: milliseconds({ default: derivedDefault, min: 50, max: 600_000 }),
  }),
  auth: checked(readAuth, []),
  acl: checked(readAcl, undefined),
  tls: tls(),
  ensureChroot: flag(false),
  maxOperations: count({ default: 10_000, min: 1, max: 10_000_000 }),
  maxRequestBytes: count({ default: defaultMaxRequestBytes, min: 1_024, max: 2 ** 28 }),
  maxReplyBytes: count({ default: defaultMaxReplyBytes, min: 1_024, max: 2 ** 30 }),
}

function completeOptions({ connect, acl, ...given }: GivenOptions): ResolvedOptions {
  const { sessionTimeoutMs, liveness, auth, backoff: waits } = given
  const share = sessionTimeoutMs / (3 * Math.max(1, connect.endpoints.length))
  return Object.freeze({
    ...given,
    servers: connect,
    aclOf: acl ?? (() => (auth.length > 0 ? creatorOnly : openToAll)),
    parentAclOf: acl ?? (() => (auth.length > 0 ? sharedParent : openToAll)),
    operationTimeoutMs: given.operationTimeoutMs || Math.min(10_000, sessionTimeoutMs),
    // A frozen server accepts the connection and does not answer: a second is long for a handshake.
    connectTimeoutMs: given.connectTimeoutMs || Math.round(Math.min(3_000, Math.max(1_000, share))),
    // A restored quorum should be found while the session can still be saved, and soon when it cannot.
    backoff: {
      ...waits,
      maxMs: waits.maxMs || Math.round(Math.min(5_000, Math.max(100, sessionTimeoutMs / 16))),
    },
    liveness: {
      probeAfterMs: liveness.probeAfterMs || Math.round(Math.min(2_000, sessionTimeoutMs / 6)),
      probeTimeoutMs: liveness.probeTimeoutMs || Math.round(Math.min(1_000, sessionTimeoutMs / 3)),
    },
  })
}

function readConnect(value: unknown, path: string): Servers {
  if (typeof value === 'string') return parseConnectString(value, path)
  const isList = Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
  if (isList) return parseConnectString(value.join(','), path)
  throw invalidOption(path, "expected text such as 'zk1:2181,zk2:2181/app', or a list of such texts")
}

// The errors never contain the value, which is a secret.
function readAuth(value: unknown, path: string): readonly AuthInfo[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw invalidOption(path, 'expected a list of { scheme, value }')
  return value.map((each: Partial<AuthOptions> | undefined, index) => {
    const { scheme, value: secret } = each ?? {}
    if (typeof scheme !== 'string' || scheme === '')
      throw invalidOption(`${path}[${index}].scheme`, "expected text such as 'digest'")
    if (typeof secret !== 'string' && !(secret instanceof Uint8Array))
      throw invalidOption(`${path}[${index}].value`, "expected a text, for digest 'user:password', or bytes")
    return { scheme, value: Buffer.from(secret as string) }
  })
}

function readAcl(value: unknown, path: string): AclOf | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'function') return value as AclOf
  const acl = checkAcl(value as readonly Acl[], path)
  return () => acl
}
