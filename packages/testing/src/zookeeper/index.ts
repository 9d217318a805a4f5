/**
 * `@ha/testing/zookeeper`: a ZooKeeper ensemble inside the test process.
 *
 * @module testing/zookeeper
 */

export { localhostCertificate } from '../server/localhost-certificate.ts'
export type { NodeState } from '../server/nodes.ts'
export type { ConnectionFilter, CutHow, RequestOutcome, RequestPosition, Side } from '../server/rules.ts'
export type { WhenByte } from '../server/script.ts'
export type { Session } from './ensemble/consensus.ts'
export { type FakeEnsemble, startFakeEnsemble, type ZnodeSnapshot } from './ensemble/ensemble.ts'
export type { FakeNode, Role } from './ensemble/node.ts'
export type { FakeEnsembleOptions } from './ensemble/options.ts'
export type { LogEntry, LogPattern, RequestLog } from './ensemble/request-log.ts'
export type {
  ByteRule,
  Ending,
  OperationName,
  RequestAct,
  RequestRule,
  Rule,
  WhenRequest,
} from './rules.ts'
export type { Change, Txn, Znode } from './tree/data-tree.ts'
export type { WatchKind } from './tree/watches.ts'
export type { ConnectRequest } from './wire/connect.ts'
export { framed, lengthOf } from './wire/frames.ts'
export type { AclEntry, Identity, Stat } from './wire/records.ts'
export { type EventKind, encodeEvent, encodeReply, type ReplyHead } from './wire/replies.ts'
export type { OpName, PartRequest, Request, SetWatchesRequest } from './wire/requests.ts'
