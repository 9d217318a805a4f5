import type { ErrorAnswer } from '../wire/answers.ts'

/** An error of the server, with its number, its SQLSTATE and its text. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly errno: number
  readonly sqlState: string | undefined

  constructor(errno: number, sqlState: string | undefined, message: string) {
    super(message)
    this.errno = errno
    this.sqlState = sqlState
  }

  /** The error as the client reads it. */
  get answer(): ErrorAnswer {
    return { kind: 'error', errno: this.errno, sqlState: this.sqlState, message: this.message }
  }
}

// Numbers, states and texts of MariaDB 10.11; `%s` stands for the details.
const errors = {
  accessDenied: [1045, '28000', "Access denied for user '%s'@'127.0.0.1' (using password: %s)"],
  noSchemaSelected: [1046, '3D000', 'No database selected'],
  notReady: [1047, '08S01', 'WSREP has not yet prepared node for application use'],
  unknownCommand: [1047, '08S01', 'Unknown command'],
  notNull: [1048, '23000', "Column '%s' cannot be null"],
  unknownSchema: [1049, '42000', "Unknown database '%s'"],
  tableExists: [1050, '42S01', "Table '%s' already exists"],
  unknownTable: [1051, '42S02', "Unknown table '%s'"],
  unknownColumn: [1054, '42S22', "Unknown column '%s' in '%s'"],
  duplicateKey: [1062, '23000', "Duplicate entry '%s' for key 'PRIMARY'"],
  noShape: [1064, '42000', 'the fake server has no shape for this statement; answer it with a rule: %s'],
  unknownThread: [1094, 'HY000', 'Unknown thread id: %s'],
  wrongValueCount: [1136, '21S01', "Column count doesn't match value count at row %s"],
  noSuchTable: [1146, '42S02', "Table '%s' doesn't exist"],
  cutOff: [
    1180,
    'HY000',
    'Error while appending streaming replication fragment(provider status: Not connected to Primary Component)',
  ],
  unknownVariable: [1193, 'HY000', "Unknown system variable '%s'"],
  lockWaitTimeout: [1205, 'HY000', 'Lock wait timeout exceeded; try restarting transaction'],
  wrongArguments: [1210, 'HY000', 'Incorrect arguments to %s'],
  deadlock: [1213, '40001', 'Deadlock found when trying to get lock; try restarting transaction'],
  unknownPrepared: [1243, 'HY000', 'Unknown prepared statement handler (%s) given to EXECUTE'],
  readOnlyServer: [
    1290,
    'HY000',
    'The MariaDB server is running with the --read-only option so it cannot execute this statement',
  ],
  unknownSavepoint: [1305, '42000', 'SAVEPOINT %s does not exist'],
  interrupted: [1317, '70100', 'Query execution was interrupted'],
  noDefault: [1364, 'HY000', "Field '%s' doesn't have a default value"],
  readOnlyTransaction: [1792, '25006', 'Cannot execute statement in a READ ONLY transaction'],
  malformedPacket: [1835, '08S01', 'Malformed communication packet: %s'],
  connectionKilled: [1927, '70100', 'Connection was killed'],
  badGtid: [1941, 'HY000', 'Could not parse GTID list'],
  statementTimeout: [1969, '70100', 'Query execution was interrupted (max_statement_time exceeded)'],
} as const

/** An error of MariaDB by its meaning; the details replace the `%s` of its text in order. */
export function serverError(
  meaning: keyof typeof errors,
  ...details: readonly (string | number)[]
): ServerError {
  const [errno, sqlState, text] = errors[meaning]
  let next = 0
  return new ServerError(
    errno,
    sqlState,
    text.replaceAll('%s', () => String(details[next++] ?? '')),
  )
}
