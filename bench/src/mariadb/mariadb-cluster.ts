import { createPoolCluster } from 'mariadb'
import { addressOf, login } from './cluster.ts'
import { type Contestant, type ContestantMaker, type ContestantSetup, unknownFailure } from './contestant.ts'

/** The PoolCluster of MariaDB's own driver, in the order of the list. */
export const mariadbCluster: ContestantMaker = {
  name: 'mariadb 3 PoolCluster',
  settings: 'createPoolCluster, selector ORDER, connectTimeout and acquireTimeout 2 s, otherwise defaults',
  async start({ endpoints, tables, connections }: ContestantSetup): Promise<Contestant> {
    const cluster = createPoolCluster()
    for (const [i, endpoint] of endpoints.entries()) {
      cluster.add(`n${i}`, {
        ...addressOf(endpoint),
        ...login,
        connectionLimit: connections,
        connectTimeout: 2_000,
        // Ten seconds otherwise, and it goes on to the next server only then.
        acquireTimeout: 2_000,
      })
    }
    const all = cluster.of('n*', 'ORDER')
    await all.query('SELECT 1')
    return {
      insert: (id) => all.query(`INSERT INTO ${tables.rows} (id) VALUES (?)`, [id]),
      explain: unknownFailure,
      close: () => cluster.end(),
    }
  },
}
