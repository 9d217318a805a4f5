/** A store that a lock protects: it remembers the highest token, and rejects writes with a lower one. */
export class ProtectedStore {
  #highest = 0n

  /** Returns whether the write was accepted. */
  write(token: bigint): boolean {
    if (token < this.#highest) return false
    this.#highest = token
    return true
  }
}
