/** What a lock protects: a store that remembers the highest token, and turns away whoever comes with a lower one. */
export class ProtectedStore {
  #highest = 0n

  /** Whether it was taken. */
  write(token: bigint): boolean {
    if (token < this.#highest) return false
    this.#highest = token
    return true
  }
}
