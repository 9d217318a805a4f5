import { setTimeout } from 'node:timers/promises'
import type { ServiceView } from '@ha/zookeeper'

// A router that has not answered by then does not: a delivery takes a second at most.
const answerMs = 5_000

/** Sends one user a message after the other, each when a router has taken the one before. */
export class Sender {
  readonly #user: string
  readonly #routers: ServiceView
  readonly #everyMs: number
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  #accepted = 0

  /** Begins at once; there is a message every `everyMs` milliseconds. */
  constructor(user: string, routers: ServiceView, everyMs: number) {
    this.#user = user
    this.#routers = routers
    this.#everyMs = everyMs
    this.#running = this.#run()
  }

  /** How many messages a router has taken. */
  get accepted(): number {
    return this.#accepted
  }

  /** Ends when the message that is under way is taken or refused. */
  close(): Promise<void> {
    this.#end.abort()
    return this.#running
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      // What was not taken goes again with its number: nobody knows whether a router has it.
      if (await this.#put(this.#accepted + 1)) this.#accepted += 1
      await setTimeout(this.#everyMs, undefined, { signal: this.#end.signal }).catch(() => undefined)
    }
  }

  async #put(number: number): Promise<boolean> {
    const router = this.#routers.pick()
    if (router === undefined) return false
    const url = `http://${router.address}:${router.port}/users/${this.#user}/messages/${number}`
    try {
      const body = `this is number ${number}`
      const response = await fetch(url, { method: 'PUT', body, signal: AbortSignal.timeout(answerMs) })
      await response.arrayBuffer()
      return response.ok
    } catch {
      // The router is away, or went away with its answer.
      return false
    }
  }
}
