/**
 * `@ha/rabbit`: the RabbitMQ client.
 *
 * @module rabbit
 */

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
export {
  createRabbit,
  type PublishBufferHealth,
  Rabbit,
  type RabbitHealth,
  type WaitLimit,
} from './client.ts'
export type { RabbitEvents, RabbitFailover, Role } from './client-events.ts'
export { bytes, type Codec, json, text } from './codec.ts'
export type { StopReport } from './consumer/consumer.ts'
export type { Consumer, ConsumerHealth, ConsumerStatus } from './consumer/consumers.ts'
export type { RetryPolicy } from './consumer/delayed-retry.ts'
export type { DecodeErrorHandler, Delivery, DeliveryHandler, Disposition } from './consumer/delivery.ts'
export type { HandlerFailure } from './consumer/handler-runner.ts'
export type { Credentials } from './driver/driver.ts'
export { type RabbitCode, rabbitCodes } from './errors.ts'
export type {
  Address,
  ConsumeOptions,
  LivenessOptions,
  PublisherOptions,
  RabbitOptions,
  RabbitUrlOverrides,
  RespondOptions,
} from './options.ts'
export type { Receipt } from './publisher/message-queue.ts'
export type { PublishBufferOptions } from './publisher/publish-buffer.ts'
export type { Publisher, PublishOptions } from './publisher/publisher.ts'
export type { Reply, RequestOptions, RequestTarget } from './rpc/request-message.ts'
export type { RequestLimits, RequestsHealth } from './rpc/requests.ts'
export type { RespondHandler } from './rpc/responder.ts'
export type { DrainReport } from './shutdown.ts'
export {
  type Arguments,
  type BindingSpec,
  type ClassicSettings,
  classic,
  direct,
  type ExchangeSpec,
  ephemeral,
  fanout,
  headers,
  mirrored,
  type PassiveSetting,
  type QueueSettings,
  type QueueSpec,
  type QuorumSettings,
  quorum,
  type StreamSettings,
  stream,
  type Topology,
  topic,
} from './topology/topology.ts'
