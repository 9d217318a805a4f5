import type { Instance } from '@ha/zookeeper'
import type { Message } from '../message.ts'
import { Line } from './line.ts'

/** The connections of this router: one to each gateway that is alive and well. */
export class Lines {
  readonly #lines = new Map<string, Line>()

  /** Opens what is missing and closes what is not needed any more. */
  keep(live: readonly Instance[]): void {
    const urls = new Set(live.map(urlOf))
    for (const [url, line] of this.#lines) {
      if (urls.has(url)) continue
      line.close()
      this.#lines.delete(url)
    }
    for (const url of urls) {
      if (!this.#lines.has(url)) this.#lines.set(url, new Line(url))
    }
  }

  /** True when the user says within `timeoutMs` milliseconds that he has the message. */
  async deliver(gateway: Instance, user: string, message: Message, timeoutMs: number): Promise<boolean> {
    const line = this.#lines.get(urlOf(gateway))
    return line !== undefined && (await line.deliver(user, message, timeoutMs))
  }

  close(): void {
    this.keep([])
  }
}

function urlOf({ address, port = 1883 }: Instance): string {
  return `mqtt://${address}:${port}`
}
