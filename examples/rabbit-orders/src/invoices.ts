/** One invoice for each message id. A real service uses a table with a unique key. */
export class Invoices {
  readonly #byMessage = new Map<string, number>()

  get count(): number {
    return this.#byMessage.size
  }

  write(messageId: string, total: number): void {
    this.#byMessage.set(messageId, total)
  }
}
