import { type FakeCluster, startCluster } from './fake-cluster.ts'
import { Galera } from './galera.ts'
import {
  type FakeGaleraOptions,
  type FakeReplicationOptions,
  type FakeServerOptions,
  galeraOptions,
  replicationOptions,
  serverOptions,
} from './options.ts'
import { Replication } from './replication.ts'

/** Starts one fake MariaDB server in this process. */
export function startFakeServer(options: FakeServerOptions = {}): Promise<FakeCluster> {
  const resolved = serverOptions(options)
  return startCluster({
    nodes: 1,
    options: resolved,
    bond: (ends) => new Replication({ ...ends, lagMsOf: () => 0 }),
    variables: () => ({}),
  })
}

/** Starts fake servers that form a Galera cluster: each of them writes, and what one commits all have. */
export function startFakeGalera(options: FakeGaleraOptions = {}): Promise<FakeCluster> {
  const { nodes, viewChangeMs, rejoinMs, ...resolved } = galeraOptions(options)
  return startCluster({
    nodes,
    options: resolved,
    bond: (ends) => new Galera({ ...ends, viewChangeMs, rejoinMs }),
    variables: () => ({ wsrep_on: 'ON', wsrep_cluster_name: 'fake' }),
  })
}

/** Starts a fake primary, node 1, and its replicas, which are `read_only` and follow with the lag that they are given. */
export async function startFakeReplication(options: FakeReplicationOptions = {}): Promise<FakeCluster> {
  const { replicas, ...resolved } = replicationOptions(options)
  const cluster: FakeCluster = await startCluster({
    nodes: replicas + 1,
    options: resolved,
    bond: (ends) => new Replication({ ...ends, lagMsOf: (peer) => cluster.node(peer.number).lagMs }),
    variables: (node) => ({ read_only: node === 1 ? 'OFF' : 'ON' }),
  })
  return cluster
}
