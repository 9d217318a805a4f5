import { application } from './first-data.ts'

/** What an application dials, as its Java neighbour writes it. */
export function jdbcUrl(mode: 'sequential' | 'replication', ports: readonly number[]): string {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
  return `jdbc:mariadb:${mode}://${hosts}/${application}?user=${application}&password=${application}`
}
