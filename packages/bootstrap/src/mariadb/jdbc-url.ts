import type { Listener } from './conf.ts'
import { applicationUser } from './first-data.ts'

/** What an application dials, as its Java neighbour writes it. */
export function jdbcUrl(
  mode: 'sequential' | 'replication',
  servers: readonly Pick<Listener, 'host' | 'port'>[],
): string {
  const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',')
  return `jdbc:mariadb:${mode}://${hosts}/${applicationUser}?user=${applicationUser}&password=${applicationUser}`
}
