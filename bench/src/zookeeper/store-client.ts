import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { hearLines } from './lines.ts'
import type { StoreAnswer, StoreOrder } from './store.ts'

/** A writer's line to the protected store. */
export class StoreClient {
  readonly #socket: Socket
  readonly #by: string
  readonly #open = new Map<number, (answer: StoreAnswer) => void>()
  #number = 0

  private constructor(socket: Socket, by: string) {
    this.#socket = socket
    this.#by = by
    socket.setNoDelay()
    hearLines(socket, (line) => {
      const answer = JSON.parse(line) as StoreAnswer
      this.#open.get(answer.number)?.(answer)
      this.#open.delete(answer.number)
    })
  }

  static async dial(port: number, by: string): Promise<StoreClient> {
    const socket = connect({ host: '127.0.0.1', port })
    await once(socket, 'connect')
    return new StoreClient(socket, by)
  }

  write(token: bigint, isClaimed: boolean): Promise<StoreAnswer> {
    const number = ++this.#number
    const order: StoreOrder = { number, by: this.#by, pid: process.pid, token: String(token), isClaimed }
    return new Promise((resolve) => {
      this.#open.set(number, resolve)
      this.#socket.write(`${JSON.stringify(order)}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
