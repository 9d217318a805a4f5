/** A server's no: its code. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number

  constructor(code: number) {
    super(`code ${code}`)
    this.code = code
  }
}
