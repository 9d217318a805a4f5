import { replyCodes } from './reply-codes.ts'

/** What the server said no to. */
export interface Refused {
  /** The name of the request. */
  readonly request: string
  readonly path: string | undefined
  /** Which change of a multi. */
  readonly index?: number
}

/** A server's no. Holds no data of the node. */
export class ReplyError extends Error {
  /** The server's number, such as -101; it may be one that nobody knows. */
  readonly code: number
  /** ZooKeeper's own word for it, such as `NONODE`, or undefined for an unknown one. */
  readonly symbol: string | undefined
  readonly path: string | undefined
  /** The message without the place. */
  readonly reason: string
  /** Which change of a multi was refused, counted from 0; undefined for other requests. */
  readonly index: number | undefined

  constructor(code: number, { request, path, index }: Refused) {
    const known = replyCodes.get(code)
    const where = path === undefined ? request : `${request} ${path}`
    const reason = `${known?.meaning ?? 'the server says no'} (${known?.symbol ?? 'unknown code'} ${code})`
    super(`${where}: ${reason}`)
    this.name = 'ReplyError'
    this.reason = reason
    this.code = code
    this.symbol = known?.symbol
    this.path = path
    this.index = index
  }
}
