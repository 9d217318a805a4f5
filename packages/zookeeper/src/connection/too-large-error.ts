/** A request or an answer that is larger than what may go over a connection in one piece. */
export class TooLargeError extends Error {
  /** A request was not sent. An answer was not kept: what it was asked for may have been done. */
  readonly what: 'request' | 'answer'

  constructor(what: 'request' | 'answer', request: string, bytes: number, mostBytes: number) {
    super(`${request}: the ${what} has ${bytes} bytes, where ${mostBytes} are the most`)
    this.name = 'TooLargeError'
    this.what = what
  }
}
