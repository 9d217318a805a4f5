import { Refusal } from './refusal.ts'

/** The refusals of MariaDB 10.11, in its words. */
export const refusals: {
  readonly accessDenied: (user: string, hasProof: boolean) => Refusal
  readonly noSchemaInUse: () => Refusal
  readonly notReady: () => Refusal
  readonly unknownCommand: () => Refusal
  readonly notNull: (column: string) => Refusal
  readonly unknownSchema: (name: string) => Refusal
  readonly tableExists: (name: string) => Refusal
  readonly unknownTable: (name: string) => Refusal
  readonly unknownColumn: (name: string, place: string) => Refusal
  readonly duplicate: (key: string) => Refusal
  readonly notUnderstood: (sql: string) => Refusal
  readonly noSuchThread: (id: number) => Refusal
  readonly wrongCount: (row: number) => Refusal
  readonly noSuchTable: (name: string) => Refusal
  readonly unknownVariable: (name: string) => Refusal
  readonly lockWait: () => Refusal
  readonly wrongArguments: (name: string) => Refusal
  readonly badGtid: () => Refusal
  readonly cutOff: () => Refusal
  readonly deadlock: () => Refusal
  readonly readOnlyServer: () => Refusal
  readonly noSavepoint: (name: string) => Refusal
  readonly interrupted: () => Refusal
  readonly noDefault: (column: string) => Refusal
  readonly readOnlyTransaction: () => Refusal
  readonly killed: () => Refusal
  readonly outOfTime: () => Refusal
} = {
  accessDenied: (user, hasProof) =>
    new Refusal(
      1045,
      '28000',
      `Access denied for user '${user}'@'127.0.0.1' (using password: ${hasProof ? 'YES' : 'NO'})`,
    ),
  noSchemaInUse: () => new Refusal(1046, '3D000', 'No database selected'),
  notReady: () => new Refusal(1047, '08S01', 'WSREP has not yet prepared node for application use'),
  unknownCommand: () => new Refusal(1047, '08S01', 'Unknown command'),
  notNull: (column) => new Refusal(1048, '23000', `Column '${column}' cannot be null`),
  unknownSchema: (name) => new Refusal(1049, '42000', `Unknown database '${name}'`),
  tableExists: (name) => new Refusal(1050, '42S01', `Table '${name}' already exists`),
  unknownTable: (name) => new Refusal(1051, '42S02', `Unknown table '${name}'`),
  unknownColumn: (name, place) => new Refusal(1054, '42S22', `Unknown column '${name}' in '${place}'`),
  duplicate: (key) => new Refusal(1062, '23000', `Duplicate entry '${key}' for key 'PRIMARY'`),
  notUnderstood: (sql) =>
    new Refusal(1064, '42000', `the fake server does not know this statement, a rule can answer it: ${sql}`),
  noSuchThread: (id) => new Refusal(1094, 'HY000', `Unknown thread id: ${id}`),
  wrongCount: (row) => new Refusal(1136, '21S01', `Column count doesn't match value count at row ${row}`),
  noSuchTable: (name) => new Refusal(1146, '42S02', `Table '${name}' doesn't exist`),
  unknownVariable: (name) => new Refusal(1193, 'HY000', `Unknown system variable '${name}'`),
  lockWait: () => new Refusal(1205, 'HY000', 'Lock wait timeout exceeded; try restarting transaction'),
  wrongArguments: (name) => new Refusal(1210, 'HY000', `Incorrect arguments to ${name}`),
  badGtid: () => new Refusal(1941, 'HY000', 'Could not parse GTID list'),
  cutOff: () =>
    new Refusal(
      1180,
      'HY000',
      'Error while appending streaming replication fragment(provider status: Not connected to Primary Component)',
    ),
  deadlock: () =>
    new Refusal(1213, '40001', 'Deadlock found when trying to get lock; try restarting transaction'),
  readOnlyServer: () =>
    new Refusal(
      1290,
      'HY000',
      'The MariaDB server is running with the --read-only option so it cannot execute this statement',
    ),
  noSavepoint: (name) => new Refusal(1305, '42000', `SAVEPOINT ${name} does not exist`),
  interrupted: () => new Refusal(1317, '70100', 'Query execution was interrupted'),
  noDefault: (column) => new Refusal(1364, 'HY000', `Field '${column}' doesn't have a default value`),
  readOnlyTransaction: () =>
    new Refusal(1792, '25006', 'Cannot execute statement in a READ ONLY transaction'),
  killed: () => new Refusal(1927, '70100', 'Connection was killed'),
  outOfTime: () =>
    new Refusal(1969, '70100', 'Query execution was interrupted (max_statement_time exceeded)'),
}
