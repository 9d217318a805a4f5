import { createPoolCluster, type PoolNamespace } from 'mysql2'
import { addressOf, login } from './cluster.ts'
import { type Contestant, type ContestantMaker, type ContestantSetup, unknownFailure } from './contestant.ts'

/** The PoolCluster of mysql2, in the order of the list. */
export const mysql2Cluster: ContestantMaker = {
  name: 'mysql2 3 PoolCluster',
  settings: 'createPoolCluster, selector ORDER, connectTimeout 2 s, otherwise defaults',
  async start({ endpoints, tables, connections }: ContestantSetup): Promise<Contestant> {
    const cluster = createPoolCluster({})
    for (const [i, endpoint] of endpoints.entries()) {
      cluster.add(`n${i}`, {
        ...addressOf(endpoint),
        ...login,
        connectionLimit: connections,
        connectTimeout: 2_000,
      })
    }
    const all = cluster.of('n*', 'ORDER')
    await queried(all, 'SELECT 1', [])
    return {
      insert: (id) => queried(all, `INSERT INTO ${tables.rows} (id) VALUES (?)`, [id]),
      explain: unknownFailure,
      close: () =>
        new Promise((resolve) => {
          cluster.end(() => resolve(undefined))
        }),
    }
  },
}

function queried(pool: PoolNamespace, sql: string, values: readonly unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    pool.query(sql, [...values], (error) => (error ? reject(error) : resolve()))
  })
}
