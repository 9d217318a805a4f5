/**
 * `@ha/testing/zookeeper`: a ZooKeeper ensemble inside the test process.
 *
 * @module testing/zookeeper
 */

export { localhostCertificate } from '../server/localhost-certificate.ts'
export type { ConnectionFilter, RequestOutcome, RequestPosition, Side } from '../server/rules.ts'
export type { WhenByte } from '../server/script.ts'
export type { FakeEnsemble, SeenNode } from './ensemble/fake-ensemble.ts'
export type { FakeNode, Role } from './ensemble/fake-node.ts'
export type { FakeEnsembleOptions } from './ensemble/options.ts'
export type { NodeState } from './ensemble/process.ts'
export type { LogEntry, LogPattern, RequestLog } from './ensemble/request-log.ts'
export type { Session } from './ensemble/sessions.ts'
export { startFakeEnsemble } from './ensemble/start.ts'
export type {
  ByteRule,
  CutHow,
  Deed,
  Ending,
  RequestAct,
  RequestRule,
  Rule,
  WhenRequest,
} from './script/rule.ts'
export type { Change, Txn } from './tree/tree.ts'
export type { WatchKind } from './tree/watches.ts'
export type { Znode } from './tree/znode.ts'
export type { AclEntry, Identity } from './wire/acl.ts'
export type { ConnectRequest } from './wire/connect.ts'
export { framed, lengthOf } from './wire/frame.ts'
export type { OpName } from './wire/op.ts'
export { type EventKind, encodeEvent, encodeReply, type ReplyHead } from './wire/reply.ts'
export type { PartRequest, Request, SetWatchesRequest } from './wire/request.ts'
export type { SeenStat } from './wire/stat.ts'
