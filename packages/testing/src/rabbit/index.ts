/**
 * `@ha/testing/rabbit`: a RabbitMQ cluster inside the test process.
 *
 * @module testing/rabbit
 */

export { localhostCertificate } from '../server/localhost-certificate.ts'
export type { NodeState } from '../server/nodes.ts'
export type { ConnectionFilter, CutHow, Injection, Side } from '../server/rules.ts'
export type { WhenByte } from '../server/script.ts'
export type { Alarm } from './broker/broker.ts'
export type { FakePermissions, FakeUser } from './broker/users.ts'
export {
  type ConnectionSnapshot,
  type FakeCluster,
  type QueueSnapshot,
  startFakeCluster,
} from './cluster/cluster.ts'
export type { FrameLog, LogEntry, LogPattern } from './cluster/frame-log.ts'
export type { FakeNode } from './cluster/node.ts'
export type { FakeClusterOptions } from './cluster/options.ts'
export type {
  ByteAct,
  ByteRule,
  ConfirmBatch,
  Ending,
  FrameAct,
  FramePosition,
  FrameRule,
  PublishAct,
  Rule,
  WhenFrame,
} from './rules.ts'
export type { FrameName } from './wire/frames.ts'
