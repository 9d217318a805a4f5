/**
 * `@ha/testing/mariadb`: MariaDB servers inside the test process.
 *
 * @module testing/mariadb
 */

export type { ConnectionFilter, RequestOutcome, RequestPosition, Side } from '../server/rules.ts'
export type { WhenByte } from '../server/script.ts'
export {
  type FakeCluster,
  type SeenRow,
  startFakeGalera,
  startFakeReplication,
  startFakeServer,
} from './cluster/cluster.ts'
export type { FakeNode, ServerState } from './cluster/node.ts'
export type { FakeGaleraOptions, FakeReplicationOptions, FakeServerOptions } from './cluster/options.ts'
export type { CommandLog, LogEntry, LogPattern } from './command-log.ts'
export type { Users } from './connection/connection.ts'
export type { Values } from './engine/membership.ts'
export type {
  ByteRule,
  ClientAction,
  CommandAct,
  CommandRule,
  CutHow,
  Ending,
  Rule,
  ScriptedAnswer,
  WhenCommand,
} from './rules.ts'
export type { CommandName } from './wire/commands.ts'
export type { Value } from './wire/values.ts'
