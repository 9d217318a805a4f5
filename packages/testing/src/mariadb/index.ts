/**
 * `@ha/testing/mariadb`: MariaDB servers inside the test process.
 *
 * @module testing/mariadb
 */

export type { ConnectionFilter, RequestOutcome, RequestPosition, Side } from '../server/rules.ts'
export type { WhenByte } from '../server/script.ts'
export type { CommandLog, LogEntry, LogPattern } from './cluster/command-log.ts'
export type { FakeCluster, SeenRow } from './cluster/fake-cluster.ts'
export type { FakeNode, NodeState } from './cluster/fake-node.ts'
export type { FakeGaleraOptions, FakeReplicationOptions, FakeServerOptions } from './cluster/options.ts'
export { startFakeGalera, startFakeReplication, startFakeServer } from './cluster/start.ts'
export type { Users } from './conversation/users.ts'
export type { Values } from './engine/membership.ts'
export type {
  ByteRule,
  CommandAct,
  CommandRule,
  CutHow,
  Deed,
  Ending,
  Rule,
  ScriptedAnswer,
  WhenCommand,
} from './script/rule.ts'
export type { CommandName } from './wire/command.ts'
export type { Value } from './wire/value.ts'
