/** What the queues of the topology are called on the broker: a server-named one has a new name on each connection. */
export class QueueNames {
  readonly #names = new Map<string, string>()

  set(name: string, onBroker: string): void {
    this.#names.set(name, onBroker)
  }

  /** The broker's name of a queue; a queue that is not in the topology is called what it is called. */
  get(name: string): string {
    return this.#names.get(name) ?? name
  }
}
