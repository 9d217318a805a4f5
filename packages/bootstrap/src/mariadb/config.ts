import { type MariadbDeployment, serverPaths } from './deployment.ts'

/** One line of a server's configuration: a key and its value; null for a switch. */
export type ConfigSetting = readonly [key: string, value: string | number | null]

/** The text of a server's configuration file. */
export function renderConf(settings: readonly ConfigSetting[]): string {
  const lines = settings.map(([key, value]) => (value === null ? key : `${key}=${value}`))
  return ['[mysqld]', ...lines, ''].join('\n')
}

/** A server with its address and its port for clients. */
export interface ServerAddress {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** The settings of every server of a lab: its own files, its own address only, and little memory. */
export function commonSettings(
  deployment: MariadbDeployment,
  { name, host, port }: ServerAddress,
): readonly ConfigSetting[] {
  const { data, socket } = serverPaths(deployment, name)
  return [
    ['datadir', data],
    ['socket', socket],
    ['pid-file', `${data}/pid`],
    ['port', port],
    ['bind-address', host],
    ['skip-name-resolve', null],
    // The compiled default is latin1; packages change it in files that a lab does not read.
    ['character-set-server', 'utf8mb4'],
    ['max_connections', 500],
    ['binlog_format', 'ROW'],
    ['default_storage_engine', 'InnoDB'],
    // Acknowledged writes are on the disk: a loss in the lab would look like a defect of the client.
    ['innodb_flush_log_at_trx_commit', 1],
    ['innodb_buffer_pool_size', '64M'],
    // Copied with the data to every other node; the default is 96 MB.
    ['innodb_log_file_size', '16M'],
    ['performance_schema', 'OFF'],
  ]
}
