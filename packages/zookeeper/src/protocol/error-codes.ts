/** The meaning of an error code in a reply. */
interface ReplyCode {
  /** As in ZooKeeper's `KeeperException.Code`. */
  readonly symbol: string
  readonly meaning: string
}

/** Codes by which a server denies that the connection has the session. */
export const sessionErrorCodes: readonly number[] = [-12, -112, -118, -124]

const entry = (symbol: string, meaning: string): ReplyCode => ({ symbol, meaning })

/** The server has closed the connection because the session is not logged in. */
export const loginDemanded = -124

/** The error codes of servers and clients from 3.4 to 3.9. */
export const replyCodes: ReadonlyMap<number, ReplyCode> = new Map<number, ReplyCode>([
  [-1, entry('SYSTEMERROR', 'the server failed')],
  [-2, entry('RUNTIMEINCONSISTENCY', 'the server is inconsistent, or an earlier change failed')],
  [-3, entry('DATAINCONSISTENCY', 'the data of the server is inconsistent')],
  [-4, entry('CONNECTIONLOSS', 'the connection behind the server was lost')],
  [-5, entry('MARSHALLINGERROR', 'the server could not decode the request')],
  [-6, entry('UNIMPLEMENTED', 'the server does not support the request, or it is disabled')],
  [-7, entry('OPERATIONTIMEOUT', 'the server gave up the request')],
  [-8, entry('BADARGUMENTS', 'the server does not accept the arguments')],
  [-9, entry('INVALIDSTATE', 'the session is in a state that does not allow it')],
  [-12, entry('UNKNOWNSESSION', 'the server does not know the session')],
  [-13, entry('NEWCONFIGNOQUORUM', 'the new configuration has no quorum')],
  [-14, entry('RECONFIGINPROGRESS', 'another reconfiguration is in progress')],
  [-100, entry('APIERROR', 'the server refused the request without a reason')],
  [-101, entry('NONODE', 'the node does not exist')],
  [-102, entry('NOAUTH', 'the ACL of the node does not allow it')],
  [-103, entry('BADVERSION', 'the node has another version')],
  [-108, entry('NOCHILDRENFOREPHEMERALS', 'an ephemeral node cannot have children')],
  [-110, entry('NODEEXISTS', 'the node exists already')],
  [-111, entry('NOTEMPTY', 'the node has children')],
  [-112, entry('SESSIONEXPIRED', 'the session has ended')],
  [-113, entry('INVALIDCALLBACK', 'the callback is not valid')],
  [-114, entry('INVALIDACL', 'the ACL is not valid')],
  [-115, entry('AUTHFAILED', 'the credentials were refused, or the server does not know their scheme')],
  [-116, entry('CLOSING', 'the client is closing')],
  [-117, entry('NOTHING', 'there is no reply to process')],
  [-118, entry('SESSIONMOVED', 'the session has moved to another server')],
  [-119, entry('NOTREADONLY', 'the server has no quorum and answers reads only')],
  [-120, entry('EPHEMERALONLOCALSESSION', 'a local session cannot have ephemeral nodes')],
  [-121, entry('NOWATCHER', 'the watch does not exist')],
  [-122, entry('REQUESTTIMEOUT', 'the request was not executed in time')],
  [-123, entry('RECONFIGDISABLED', 'reconfiguration is disabled')],
  [
    -124,
    entry(
      'SESSIONCLOSEDREQUIRESASLAUTH',
      'the server demands a login: SASL, or `auth` with a scheme of its `enforce.auth.schemes`',
    ),
  ],
  [-125, entry('QUOTAEXCEEDED', 'the quota is full')],
  [-127, entry('THROTTLEDOP', 'the server is overloaded and rejected the request')],
])

/** The request that was refused. */
interface RefusedRequest {
  /** The name of the request. */
  readonly request: string
  readonly path: string | undefined
  /** The index of the refused change in a multi. */
  readonly index?: number
}

/** The error in a server's reply. Contains no data of the node. */
export class ReplyError extends Error {
  /** The error code of the server, such as -101; it may be unknown. */
  readonly code: number
  /** ZooKeeper's own name of the code, such as `NONODE`; undefined for an unknown code. */
  readonly symbol: string | undefined
  readonly path: string | undefined
  /** The message without the request and the path. */
  readonly reason: string
  /** The index of the refused change of a multi, counted from 0; undefined for other requests. */
  readonly index: number | undefined

  constructor(code: number, { request, path, index }: RefusedRequest) {
    const known = replyCodes.get(code)
    const where = path === undefined ? request : `${request} ${path}`
    const reason = `${known?.meaning ?? 'the server refused the request'} (${known?.symbol ?? 'unknown code'} ${code})`
    super(`${where}: ${reason}`)
    this.name = 'ReplyError'
    this.reason = reason
    this.code = code
    this.symbol = known?.symbol
    this.path = path
    this.index = index
  }
}

/** Bytes of a server that violate the protocol. */
export class MalformedError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MalformedError'
  }
}
