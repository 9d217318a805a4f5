import type { ChannelModel, ConfirmChannel } from 'amqplib'

/** What a connection and its channels emit, in order. */
export function eventsOf(model: ChannelModel, ...channels: readonly ConfirmChannel[]): string[] {
  const events: string[] = []
  model.on('error', () => events.push('connection error'))
  model.on('close', () => events.push('connection close'))
  for (const channel of channels) {
    channel.on('error', () => events.push('channel error'))
    channel.on('close', () => events.push('channel close'))
  }
  return events
}

/** Whether a promise is still pending when everything that can happen now has happened. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  await turn()
  const settled = promise.then(
    () => false,
    () => false,
  )
  return Promise.race([settled, turn().then(() => true)])
}

/** Lets the event loop go round once, so that what is under way arrives. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve))
  })
}

/** Collects what nobody catches until it is disposed of, in place of the test runner. */
export class Uncaught {
  readonly #others = process.listeners('uncaughtException')
  readonly #errors: Error[] = []
  #wake: () => void = () => undefined

  constructor() {
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => {
      this.#errors.push(error)
      this.#wake()
    })
  }

  /** The first error that nobody caught, when there is one. */
  async first(): Promise<Error> {
    for (;;) {
      const [error] = this.#errors
      if (error !== undefined) return error
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  [Symbol.dispose](): void {
    process.removeAllListeners('uncaughtException')
    for (const listener of this.#others) process.on('uncaughtException', listener)
  }
}
