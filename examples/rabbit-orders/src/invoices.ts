/** Bills, each written once. A real service has a table with a unique key for this. */
export class Invoices {
  readonly #byMessage = new Map<string, number>()

  get count(): number {
    return this.#byMessage.size
  }

  write(messageId: string, total: number): void {
    this.#byMessage.set(messageId, total)
  }
}
