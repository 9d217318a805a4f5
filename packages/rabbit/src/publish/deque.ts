/** A queue that takes and gives at both ends in constant time; a ring that grows by doubling. */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(16)
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The item at a place from the front, or undefined beyond the end. */
  at(index: number): T | undefined {
    return index < 0 || index >= this.#length ? undefined : this.#ring[this.#slot(index)]
  }

  pushBack(item: T): void {
    this.#grow()
    this.#ring[this.#slot(this.#length)] = item
    this.#length += 1
  }

  pushFront(item: T): void {
    this.#grow()
    this.#first = this.#slot(this.#ring.length - 1)
    this.#ring[this.#first] = item
    this.#length += 1
  }

  popFront(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#ring[this.#first]
    // Nothing that has left may be kept alive by its old place.
    this.#ring[this.#first] = undefined
    this.#first = this.#slot(1)
    this.#length -= 1
    return item
  }

  /** Takes everything, front first. */
  drain(): T[] {
    const items: T[] = []
    for (let item = this.popFront(); item !== undefined; item = this.popFront()) items.push(item)
    return items
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.#length; i++) {
      const item = this.at(i)
      if (item !== undefined) yield item
    }
  }

  // The ring's length is a power of two, so that the remainder is a mask.
  #slot(index: number): number {
    return (this.#first + index) & (this.#ring.length - 1)
  }

  #grow(): void {
    if (this.#length < this.#ring.length) return
    const items = Array.from({ length: this.#length }, (_, i) => this.at(i))
    this.#ring = [...items, ...new Array(items.length)]
    this.#first = 0
  }
}
