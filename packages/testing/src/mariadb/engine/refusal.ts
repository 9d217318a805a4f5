import type { ErrorAnswer } from '../wire/answer.ts'

/** The server's no to a statement, with its own number, state and words. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly errno: number
  readonly sqlState: string | undefined

  constructor(errno: number, sqlState: string | undefined, message: string) {
    super(message)
    this.errno = errno
    this.sqlState = sqlState
  }

  /** The refusal as an answer. */
  get answer(): ErrorAnswer {
    return { kind: 'error', errno: this.errno, sqlState: this.sqlState, message: this.message }
  }
}
