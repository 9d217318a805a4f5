import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type GetMessage,
  type Message,
} from 'amqplib'

/** Something that a client can see of a broker, and what it sees. */
export interface Scenario {
  readonly name: string
  readonly act: (stage: Harness) => Promise<unknown>
  /** What RabbitMQ 3.10.8 shows. */
  readonly expected: unknown
}

/** A broker to act on. */
export interface HarnessOptions {
  readonly url: string
  /** How long a broker in another process is given for what it does behind its replies. */
  readonly pauseMs: number
}

/** One connection with a channel; it notes how they end. */
export interface TestClient {
  readonly model: ChannelModel
  readonly channel: ConfirmChannel
  /** The first refusal of the channel or the connection, such as `channel 404: NOT_FOUND - …`. */
  readonly refused: Promise<string>
}

/** Where a scenario plays: connections to a broker, names that nobody else uses, and a list of what was seen. */
export class Harness {
  readonly seen: unknown[] = []
  readonly #options: HarnessOptions
  readonly #prefix: string
  readonly #models: ChannelModel[] = []
  readonly #queues = new Set<string>()
  readonly #exchanges = new Set<string>()

  constructor(options: HarnessOptions, number: number) {
    this.#options = options
    this.#prefix = `ha-same-${number}.`
  }

  /** Where the broker is. */
  get url(): string {
    return this.#options.url
  }

  /** A name for a queue, gone when the scenario is over. */
  queue(name: string): string {
    this.#queues.add(this.#prefix + name)
    return this.#prefix + name
  }

  /** A name for an exchange, gone when the scenario is over. */
  exchange(name: string): string {
    this.#exchanges.add(this.#prefix + name)
    return this.#prefix + name
  }

  async actor(): Promise<TestClient> {
    const model = await connect(this.#options.url, { noDelay: true })
    this.#models.push(model)
    const channel = await model.createConfirmChannel()
    const refused = new Promise<string>((resolve) => {
      channel.on('error', (error) => resolve(`channel ${refusalIn(error)}`))
      model.on('error', (error) => resolve(`connection ${refusalIn(error)}`))
    })
    return { model, channel, refused }
  }

  /** Waits until the broker has done what it was told on this channel. */
  async settled(channel: Channel): Promise<void> {
    await channel.checkExchange('amq.direct')
    await new Promise((resolve) => setTimeout(resolve, this.#options.pauseMs))
    await channel.checkExchange('amq.direct')
  }

  /** Publishes texts to a queue and waits for their confirms. */
  async fill(channel: ConfirmChannel, queue: string, ...texts: readonly string[]): Promise<void> {
    for (const text of texts) channel.sendToQueue(queue, Buffer.from(text))
    await channel.waitForConfirms()
  }

  /** Takes everything out of a queue: the text of each, with a star when it was delivered before. */
  async drain(channel: Channel, queue: string): Promise<readonly string[]> {
    const texts: string[] = []
    for (;;) {
      const message = await channel.get(queue, { noAck: true })
      if (message === false) return texts
      texts.push(textOf(message))
    }
  }

  /** What was seen, without what differs from run to run. */
  observed(result: unknown): unknown {
    const text = JSON.stringify({ result, seen: this.seen })
      .replaceAll(this.#prefix, '')
      .replaceAll(/amq\.(gen|ctag)-[\w-]{22}/g, 'amq.$1-*')
      .replaceAll(/\{"!":"timestamp","value":\d+\}/g, '"*"')
    const { result: shown, seen } = JSON.parse(text)
    return seen.length === 0 ? shown : { result: shown, seen }
  }

  /** Ends all connections and removes what was declared. */
  async clear(): Promise<void> {
    for (const model of this.#models) await model.close().catch(() => undefined)
    const broom = await connect(this.#options.url, { noDelay: true })
    const channel = await broom.createChannel()
    for (const name of this.#queues) await channel.deleteQueue(name)
    for (const name of this.#exchanges) await channel.deleteExchange(name)
    await broom.close()
  }
}

/** Plays a scenario and says what was seen. */
export async function runScenario(
  scenario: Scenario,
  options: HarnessOptions,
  number: number,
): Promise<unknown> {
  const stage = new Harness(options, number)
  try {
    return stage.observed(await scenario.act(stage))
  } finally {
    await stage.clear()
  }
}

/** A refusal as text: the broker's code and words. */
export async function refusal(actor: TestClient, act: Promise<unknown>): Promise<string> {
  act.catch(() => undefined)
  return actor.refused
}

/** The text of a message, with a star when it was delivered before. */
export function textOf(message: Message | GetMessage): string {
  return `${message.content}${message.fields.redelivered ? '*' : ''}`
}

function refusalIn(error: Error): string {
  const [, code, text] = /(\d{3}) \([A-Z-]+\) with message "(.*)"$/s.exec(error.message) ?? []
  return `${code}: ${text}`
}
