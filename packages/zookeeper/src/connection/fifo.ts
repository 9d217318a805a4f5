// So many places that were left are worth moving the rest.
const worthMoving = 1_024

/** A queue: what came first leaves first, each in constant time on average. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #first = 0

  /** The one that leaves next. */
  get first(): T | undefined {
    return this.#items[this.#first]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#first]
    if (item === undefined) return undefined
    // Nothing that has left may be kept alive by its old place.
    this.#items[this.#first] = undefined
    this.#first += 1
    if (this.#first === this.#items.length || this.#first >= worthMoving) this.#move()
    return item
  }

  #move(): void {
    this.#items = this.#items.slice(this.#first)
    this.#first = 0
  }
}
