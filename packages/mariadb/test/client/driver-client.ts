import type { Duplex } from 'node:stream'
import { settle } from '@ha/core/testing'
import type { FakeNode } from '@ha/testing/mariadb'
import { type ConnectionConfig, createConnection } from 'mariadb'

/** A connection of the `mariadb` driver, without this client. */
export interface DriverClient {
  /** Runs a statement; returns the rows, the number of changed rows, or the error number. */
  run(sql: string, values?: readonly unknown[]): Promise<unknown>
}

/** Logs in to a node in memory as root. */
export async function driverClient(node: FakeNode): Promise<DriverClient> {
  const socket = node.dial()
  const stream = (callback: (error: Error | undefined, stream: Duplex) => void): void =>
    callback(undefined, socket)
  const connection = await createConnection({
    user: 'root',
    database: 'test',
    stream,
  } as unknown as ConnectionConfig)
  // The connections end with the cluster, not by a call of the test.
  connection.on('error', () => undefined)
  return {
    run: async (sql, values) => {
      try {
        const answer: unknown = await connection.query(sql, values)
        return Array.isArray(answer) ? [...answer] : (answer as { affectedRows: number }).affectedRows
      } catch (error) {
        return (error as { readonly errno?: number }).errno
      }
    },
  }
}

/** Waits until all data in memory has arrived. */
export async function arrive(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await settle()
}
