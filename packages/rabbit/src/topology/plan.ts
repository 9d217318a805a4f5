import type { Options } from '../amqp/types.ts'
import type { BindingSpec, ExchangeSpec, QueueSettings, QueueSpec, Topology } from './spec.ts'

/** One thing to declare, as data. */
export type Step =
  | { readonly kind: 'exchange'; readonly key: string; readonly name: string; readonly spec: ExchangeSpec }
  | { readonly kind: 'queue'; readonly key: string; readonly name: string; readonly spec: QueueSpec }
  | { readonly kind: 'binding'; readonly key: string; readonly spec: BindingSpec }

export const exchangeKey = (name: string): string => `exchange ${name}`
export const queueKey = (name: string): string => `queue ${name}`

/** The steps of a topology. What needs what is in {@link needsOf}, so their order does not matter. */
export function planTopology(topology: Topology): readonly Step[] {
  const exchanges = Object.entries(topology.exchanges ?? {}).map(
    ([name, spec]): Step => ({ kind: 'exchange', key: exchangeKey(name), name, spec }),
  )
  const queues = Object.entries(topology.queues ?? {}).map(
    ([name, spec]): Step => ({ kind: 'queue', key: queueKey(name), name, spec }),
  )
  const bindings = (topology.bindings ?? []).map(
    (spec): Step => ({ kind: 'binding', key: bindingKey(spec), spec }),
  )
  return [...exchanges, ...queues, ...bindings]
}

/** What must be there before a step can be done. */
export function needsOf(step: Step): readonly string[] {
  if (step.kind !== 'binding') return []
  const { exchange, queue, toExchange } = step.spec
  return [exchangeKey(exchange), queue === undefined ? exchangeKey(toExchange) : queueKey(queue)]
}

/** Whether the broker keeps it when the connection ends. */
export function survives(step: Step, topology: Topology): boolean {
  switch (step.kind) {
    case 'exchange':
      return step.spec.autoDelete !== true
    case 'queue':
      return step.spec.kind !== 'ephemeral'
    case 'binding':
      return bindingSurvives(step.spec, topology)
  }
}

// A binding goes with either of its ends.
function bindingSurvives({ exchange, queue, toExchange }: BindingSpec, topology: Topology): boolean {
  const exchanges = toExchange === undefined ? [exchange] : [exchange, toExchange]
  const kept = exchanges.every((name) => topology.exchanges?.[name]?.autoDelete !== true)
  return kept && (queue === undefined || topology.queues?.[queue]?.kind !== 'ephemeral')
}

/** What a message published there waits for, the first time: its exchange and the bindings out of it, or its queue. */
export function routeKeys(topology: Topology, exchange: string, routingKey: string): readonly string[] {
  if (exchange === '') return topology.queues?.[routingKey] === undefined ? [] : [queueKey(routingKey)]
  if (topology.exchanges?.[exchange] === undefined) return []
  const bindings = (topology.bindings ?? []).filter((binding) => binding.exchange === exchange)
  return [exchangeKey(exchange), ...bindings.map(bindingKey)]
}

/** The declaration of a queue for a broker of that version. */
export function queueOptions({ kind, settings }: QueueSpec, version: string): Options.AssertQueue {
  const common = settingsOf(settings)
  if (kind === 'ephemeral') return { ...common, exclusive: true, autoDelete: true, durable: false }
  if (kind === 'quorum' || (kind === 'mirrored' && !knowsMirroring(version))) {
    const limit = 'deliveryLimit' in settings ? { 'x-delivery-limit': settings.deliveryLimit } : {}
    return {
      ...common,
      durable: true,
      arguments: { ...common.arguments, 'x-queue-type': 'quorum', ...limit },
    }
  }
  return { ...common, durable: true }
}

/** What a consumer of that queue says when it subscribes: a mirrored queue that moves is to cancel it, not to hide it. */
export function consumeArguments(
  spec: QueueSpec | undefined,
  version: string,
): Readonly<Record<string, unknown>> {
  return spec?.kind === 'mirrored' && knowsMirroring(version) ? { 'x-cancel-on-ha-failover': true } : {}
}

/** True up to 3.13: classic queue mirroring was removed in 4.0. */
export function knowsMirroring(version: string): boolean {
  return Number.parseInt(version, 10) < 4
}

function bindingKey({ exchange, queue, toExchange, key = '', arguments: args }: BindingSpec): string {
  const target = queue === undefined ? exchangeKey(toExchange) : queueKey(queue)
  const extra = args === undefined ? '' : ` ${JSON.stringify(args)}`
  return `binding ${exchange} -> ${target} '${key}'${extra}`
}

function settingsOf(
  settings: QueueSettings,
): Options.AssertQueue & { readonly arguments: Readonly<Record<string, unknown>> } {
  const named: readonly (readonly [string, unknown])[] = [
    ['x-dead-letter-exchange', settings.deadLetterExchange],
    ['x-dead-letter-routing-key', settings.deadLetterKey],
    ['x-message-ttl', settings.messageTtlMs],
    ['x-max-length', settings.maxMessages],
    ['x-max-length-bytes', settings.maxBytes],
    ['x-overflow', settings.overflow],
    ['x-single-active-consumer', settings.singleActiveConsumer],
  ]
  const given = named.filter(([, value]) => value !== undefined)
  return { arguments: { ...settings.arguments, ...Object.fromEntries(given) } }
}
