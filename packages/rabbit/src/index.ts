export {
  type DeclarationHealth,
  type Events,
  type FailedAttempt,
  HaError,
  isHaError,
  type LinkHealth,
  type MemberHealth,
  type Outcome,
} from '@ha/core'
export type { CodeEntry, CodeTable } from '@ha/core/driver'
export { bytes, type Codec, json, text } from './codec.ts'
export { type RabbitCode, rabbitCodes } from './codes.ts'
export type { StopReport } from './consume/consumer.ts'
export type { ConsumerHealth } from './consume/consuming.ts'
export type { Delivery, DeliveryHandler, Disposition } from './consume/delivery.ts'
export type { Consumer, ConsumerStatus } from './consume/handle.ts'
export type { DrainReport } from './ending.ts'
export type { RabbitEvents, RabbitFailover, Role } from './events.ts'
export type { OutboxHealth, RabbitHealth } from './health.ts'
export type { ConsumeOptions, PublisherOptions } from './member-options.ts'
export type { Address, BesideUrl, LivenessOptions, RabbitOptions } from './options.ts'
export type { Receipt } from './publish/entry.ts'
export type { OutboxOptions } from './publish/outbox-space.ts'
export type { PublishOptions } from './publish/publish-options.ts'
export type { Publisher } from './publish/publisher.ts'
export { createRabbit, type Rabbit, type WaitLimit } from './rabbit.ts'
export {
  type Arguments,
  type BindingSpec,
  classic,
  direct,
  type ExchangeSpec,
  ephemeral,
  fanout,
  headers,
  mirrored,
  type QueueSettings,
  type QueueSpec,
  type QuorumSettings,
  quorum,
  type Topology,
  topic,
} from './topology/spec.ts'
