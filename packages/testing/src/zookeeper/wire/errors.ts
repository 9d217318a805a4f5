/** The codes that a server answers with, by their names. */
export const errorCode = {
  ok: 0,
  runtimeInconsistency: -2,
  marshallingError: -5,
  unimplemented: -6,
  badArguments: -8,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  noWatcher: -121,
} as const

/** A server's no: its code. */
export class KeeperException extends Error {
  override readonly name = 'Refusal'
  readonly code: number

  constructor(code: number) {
    super(`code ${code}`)
    this.code = code
  }
}
