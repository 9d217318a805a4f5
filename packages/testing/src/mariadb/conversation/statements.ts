import { serverError } from '../engine/errors.ts'
import { parameterCount } from '../sql/execute.ts'
import type { Expected } from '../wire/parameters.ts'

/** A statement that was prepared. */
export interface Prepared {
  readonly id: number
  readonly sql: string
  readonly parameters: number
  types: readonly number[]
  longData: Map<number, Buffer>
}

// The client means whatever it has prepared last, before it knows its number.
const lastPrepared = 0xffff_ffff

/** The prepared statements of one connection. */
export class Statements {
  readonly #prepared = new Map<number, Prepared>()
  #lastId = 0
  #last: number | undefined

  /** Keeps a statement, also one that fits no shape: a rule may answer it. */
  add(sql: string): Prepared {
    const id = ++this.#lastId
    const prepared = { id, sql, parameters: parameterCount(sql), types: [], longData: new Map() }
    this.#prepared.set(id, prepared)
    this.#last = id
    return prepared
  }

  /** The statement of that number; refuses when there is none. */
  get(id: number): Prepared {
    const prepared = this.find(id)
    if (prepared !== undefined) return prepared
    throw serverError('unknownPrepared', id)
  }

  find(id: number): Prepared | undefined {
    return this.#prepared.get(id === lastPrepared ? (this.#last ?? 0) : id)
  }

  remove(id: number): void {
    this.#prepared.delete(id)
  }

  clear(): void {
    this.#prepared.clear()
    this.#last = undefined
  }
}

/** What an execution of a statement is read against. */
export function expectedBy({ parameters, types, longData }: Prepared): Expected {
  return { count: parameters, types, longData }
}
