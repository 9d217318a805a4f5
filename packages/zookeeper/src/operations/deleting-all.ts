import { retold, ZookeeperError } from '../zookeeper-error.ts'
import type { Call, Remaining } from './call-options.ts'
import { childOf } from './paths.ts'
import type { Reads } from './reads.ts'

export interface DeletingParts {
  readonly reads: Pick<Reads, 'plain'>
  /** Deletes one node, which may be asked twice. */
  readonly deleteOne: (path: string, call: Call) => Promise<unknown>
  readonly remaining: Remaining
}

/** One deletion of a node with everything below it, from the leaves up, as long as there is time. */
export class DeletingAll {
  readonly #parts: DeletingParts
  readonly #path: string
  #gone = 0

  constructor(path: string, parts: DeletingParts) {
    this.#parts = parts
    this.#path = path
  }

  /** False when there was no such node. Rejects as unknown once anything of it is gone. */
  async run(): Promise<boolean> {
    try {
      return await this.#all(this.#path)
    } catch (error) {
      throw this.#gone > 0 && error instanceof ZookeeperError ? this.#halfDone(error) : error
    }
  }

  // What is made below it meanwhile is deleted as well.
  async #all(path: string): Promise<boolean> {
    const { reads, remaining } = this.#parts
    for (let wasThere = false; ; wasThere = true) {
      this.#check()
      const children = await reads.plain.children(path, remaining.call)
      if (children === undefined) return wasThere
      for (const name of children.names) await this.#all(childOf(path, name))
      if (await this.#one(path)) return true
    }
  }

  // False when somebody has made another child meanwhile.
  async #one(path: string): Promise<boolean> {
    const { deleteOne, remaining } = this.#parts
    this.#check()
    try {
      await deleteOne(path, remaining.call)
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'not-empty') return false
      throw error
    }
    this.#gone += 1
    return true
  }

  #check(): void {
    this.#parts.remaining.check(`delete ${this.#path}`, this.#path)
  }

  #halfDone(cause: ZookeeperError): ZookeeperError {
    const message = `delete ${this.#path}: ${this.#gone} below it are gone, and then: ${cause.message}`
    return retold(cause, { message, outcome: 'unknown', cause })
  }
}
