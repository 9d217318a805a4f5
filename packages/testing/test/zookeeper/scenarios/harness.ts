import type { Duplex } from 'node:stream'
import { type Grant, type Hello, RawClient } from '../raw-client.ts'

/** Something that a client can see of an ensemble. */
export interface Scenario {
  readonly name: string
  readonly act: (stage: Harness) => Promise<unknown>
  /** What ZooKeeper 3.8 shows. */
  readonly expected: unknown
}

/** An ensemble to act on. */
export interface HarnessOptions {
  /** Connects to a node, by its number from 1. */
  readonly dial: (node: number) => Promise<Duplex>
  /** Resolves when everything that is under way has arrived. */
  readonly arrive: () => Promise<void>
}

/** A client with a session. */
export interface TestClient {
  readonly client: RawClient
  readonly grant: Grant
}

let places = 0

/** Where a scenario plays: clients of the nodes of an ensemble, and a node of its own in the tree. */
export class Harness {
  /** The node of the tree below which the scenario plays. */
  readonly place: string
  readonly #options: HarnessOptions
  readonly #clients: RawClient[] = []

  constructor(options: HarnessOptions) {
    this.#options = options
    places += 1
    this.place = `/place-${process.pid}-${Date.now()}-${places}`
  }

  /** A client of a node, with a session of ten seconds unless told otherwise. */
  async actor(node = 1, hello: Hello = {}): Promise<TestClient> {
    const client = await this.stranger(node)
    const grant = await client.hello(hello)
    if (grant === undefined) throw new Error(`node ${node} ended the connection`)
    return { client, grant }
  }

  /** A client of a node that has said nothing yet. */
  async stranger(node = 1): Promise<RawClient> {
    const client = new RawClient(await this.#options.dial(node))
    this.#clients.push(client)
    return client
  }

  /** A client, and the node of this scenario made. */
  async opened(node = 1): Promise<RawClient> {
    const { client } = await this.actor(node)
    await client.create(this.place)
    return client
  }

  /** A path below the node of this scenario. */
  path(name: string): string {
    return `${this.place}/${name}`
  }

  /** The news that a client has heard, with paths below the node of this scenario. */
  async newsOf(client: RawClient): Promise<readonly string[]> {
    await this.#options.arrive()
    return client.news.map((each) => each.replace(this.place, ''))
  }

  /** Everything that a client has heard, likewise. */
  async heardBy(client: RawClient): Promise<readonly string[]> {
    await this.#options.arrive()
    return client.heard.map((each) => each.replace(this.place, ''))
  }

  /** What a client has received that is no frame, as text. */
  async rawBy(client: RawClient): Promise<string> {
    await this.#options.arrive()
    return client.rest.toString('latin1')
  }

  async clear(): Promise<void> {
    for (const client of this.#clients) client.leave()
    await this.#options.arrive()
  }
}

/** Plays a scenario; what it saw. */
export async function runScenario(scenario: Scenario, options: HarnessOptions): Promise<unknown> {
  const stage = new Harness(options)
  try {
    return await scenario.act(stage)
  } finally {
    await stage.clear()
  }
}
