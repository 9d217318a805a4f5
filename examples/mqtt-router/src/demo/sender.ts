import { setTimeout } from 'node:timers/promises'
import type { ServiceView } from '@ha/zookeeper'

// A delivery takes at most one second, so a response after this time is not expected.
const answerMs = 5_000

/** Sends messages to one user, one after another: each one after a router has accepted the previous one. */
export class Sender {
  readonly #user: string
  readonly #routers: ServiceView
  readonly #everyMs: number
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  #accepted = 0

  /** Starts at once; sends a message every `everyMs` milliseconds. */
  constructor(user: string, routers: ServiceView, everyMs: number) {
    this.#user = user
    this.#routers = routers
    this.#everyMs = everyMs
    this.#running = this.#run()
  }

  /** The number of messages accepted by a router. */
  get accepted(): number {
    return this.#accepted
  }

  /** Resolves when the message in flight has been accepted or refused. */
  close(): Promise<void> {
    this.#end.abort()
    return this.#running
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      // A message that was not accepted is sent again with the same id: the router may have it already.
      if (await this.#send(this.#accepted + 1)) this.#accepted += 1
      await setTimeout(this.#everyMs, undefined, { signal: this.#end.signal }).catch(() => undefined)
    }
  }

  async #send(number: number): Promise<boolean> {
    const router = this.#routers.pick()
    if (router === undefined) return false
    const url = `http://${router.address}:${router.port}/users/${this.#user}/messages/${number}`
    try {
      const body = `message ${number}`
      const response = await fetch(url, { method: 'PUT', body, signal: AbortSignal.timeout(answerMs) })
      await response.arrayBuffer()
      return response.ok
    } catch {
      // The router is unavailable, or its response was lost.
      return false
    }
  }
}
