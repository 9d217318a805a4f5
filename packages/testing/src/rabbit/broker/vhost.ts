import type { Clock } from '@ha/core'
import { channelException } from './exceptions.ts'
import {
  type Binding,
  Bindings,
  checkMatchMode,
  type Destination,
  type Exchange,
  isPredeclared,
  predeclaredExchanges,
  route,
} from './exchanges.ts'
import {
  type DeathReason,
  deadLetterMessage,
  isDeadLetterCycle,
  type Message,
  type Publication,
  publicationOf,
} from './messages.ts'
import { Queue, type QueueDeclaration } from './queue.ts'

/** The result of publishing a message. */
export interface PublishResult {
  /** How many queues it reached. */
  readonly queues: number
  /** Whether one of them was full and refused it. */
  readonly isRejected: boolean
}

/** A virtual host: exchanges, queues and bindings, apart from those of other virtual hosts. */
export class Vhost {
  readonly name: string
  readonly #clock: Clock
  readonly #exchanges = new Map<string, Exchange>(
    predeclaredExchanges().map((exchange) => [exchange.name, exchange]),
  )
  readonly #queues = new Map<string, Queue>()
  readonly #bindings = new Bindings()

  constructor(name: string, clock: Clock) {
    this.name = name
    this.#clock = clock
  }

  get queues(): readonly Queue[] {
    return [...this.#queues.values()]
  }

  findQueue(name: string): Queue | undefined {
    return this.#queues.get(name)
  }

  findExchange(name: string): Exchange | undefined {
    return this.#exchanges.get(name)
  }

  /** The queue of that name; throws the channel exception NOT_FOUND when there is none. */
  queue(name: string): Queue {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw channelException('NOT_FOUND', `no queue '${name}' in vhost '${this.name}'`)
    return queue
  }

  /** The exchange of that name; throws the channel exception NOT_FOUND when there is none. */
  exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name)
    if (exchange === undefined)
      throw channelException('NOT_FOUND', `no exchange '${name}' in vhost '${this.name}'`)
    return exchange
  }

  addExchange(exchange: Exchange): void {
    this.#exchanges.set(exchange.name, exchange)
  }

  addQueue(declared: QueueDeclaration): Queue {
    const deadLetter = (from: Queue, message: Message, reason: DeathReason): void =>
      this.#deadLetter(from, message, reason)
    const queue = new Queue(declared, { clock: this.#clock, deadLetter })
    this.#queues.set(queue.name, queue)
    return queue
  }

  removeExchange(name: string): void {
    this.#exchanges.delete(name)
    this.#bindings.removeFrom(name)
    this.#unbindAll({ kind: 'exchange', name })
  }

  /** Removes a queue with its bindings and cancels its consumers. */
  removeQueue(queue: Queue): void {
    if (!this.#queues.delete(queue.name)) return
    this.#unbindAll({ kind: 'queue', name: queue.name })
    queue.close()
  }

  bind(binding: Binding): void {
    if (this.exchange(binding.source).kind === 'headers') checkMatchMode(binding.arguments)
    this.#bindings.add(binding)
  }

  unbind(binding: Binding): void {
    if (this.#bindings.remove(binding)) this.#removeUnused(binding.source)
  }

  /** Whether an exchange is the source of a binding. */
  hasBindings(exchange: string): boolean {
    return this.#bindings.from(exchange).length > 0
  }

  /** Puts a message into the queues that it reaches. */
  publish(publication: Publication): PublishResult {
    return this.#enqueue(publication, this.#route(publication))
  }

  /**
   * Drops what the end of the last node does not survive: everything that is not durable, and messages that are not
   * persistent.
   */
  forgetTransient(): void {
    for (const queue of this.queues) {
      if (queue.declared.durable) queue.forgetTransient()
      else this.removeQueue(queue)
    }
    for (const { name, durable } of [...this.#exchanges.values()]) {
      if (!durable) this.removeExchange(name)
    }
  }

  /** Ends the timers of all queues. */
  close(): void {
    for (const queue of this.queues) queue.close()
  }

  #unbindAll(destination: Destination): void {
    for (const source of this.#bindings.removeTo(destination)) this.#removeUnused(source)
  }

  #removeUnused(name: string): void {
    const exchange = this.#exchanges.get(name)
    if (exchange?.autoDelete === true && !isPredeclared(name) && !this.hasBindings(name))
      this.removeExchange(name)
  }

  #deadLetter(from: Queue, message: Message, reason: DeathReason): void {
    const { deadLetterExchange, deadLetterRoutingKey } = from.declared.settings
    if (deadLetterExchange === undefined || !this.#exchanges.has(deadLetterExchange)) return
    const timeS = Math.floor(this.#clock.now() / 1000)
    const dead = deadLetterMessage({ queue: from.name, reason, message, timeS })
    const routingKey = deadLetterRoutingKey ?? message.routingKey
    const publication = publicationOf({ ...dead, exchange: deadLetterExchange, routingKey })
    this.#enqueue(
      publication,
      this.#route(publication).filter((queue) => !isDeadLetterCycle(publication.headers, queue)),
    )
  }

  #route(publication: Publication): readonly string[] {
    const hasQueue = (name: string): boolean => this.#queues.has(name)
    return route({ exchanges: this.#exchanges, bindings: this.#bindings, hasQueue }, publication)
  }

  #enqueue({ message }: Publication, names: readonly string[]): PublishResult {
    const queues = names.flatMap((name) => this.#queues.get(name) ?? [])
    const accepted = queues.map((queue) => queue.publish(message))
    return { queues: queues.length, isRejected: accepted.includes(false) }
  }
}
