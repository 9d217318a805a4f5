import { detectHost } from '../doctor/doctor.ts'
import { missingServers } from '../doctor/install-command.ts'
import { serversOf } from '../doctor/servers.ts'
import { resolveGalera } from '../galera/model.ts'
import { planGalera } from '../galera/plan.ts'
import { currentUser, serverAccount } from '../machine/account.ts'
import { dataFolder } from '../machine/data-folder.ts'
import { findPlan, labFolder, labNames } from '../machine/lab-folder.ts'
import { findMariadb } from '../machine/mariadb-programs.ts'
import { availableMemoryMib } from '../machine/memory.ts'
import { checkPlatform } from '../machine/platform.ts'
import { isPortFree } from '../machine/ports.ts'
import { findRabbit } from '../machine/rabbit-programs.ts'
import { findZookeeper } from '../machine/zookeeper-programs.ts'
import type { MariadbDeployment } from '../mariadb/place.ts'
import { labError } from '../model/codes.ts'
import { checkMemory } from '../model/memory.ts'
import type { Plan } from '../model/plan.ts'
import { checkReserved, portBlocks, portsOf, portsPerLab, type ReservedPorts } from '../model/ports.ts'
import type { Topology } from '../model/topology.ts'
import { resolveRabbit } from '../rabbitmq/model.ts'
import { planRabbit } from '../rabbitmq/plan.ts'
import { resolveReplication } from '../replication/model.ts'
import { planReplication } from '../replication/plan.ts'
import { findNetwork } from '../sandbox/find-network.ts'
import { planForNetwork } from '../sandbox/spread.ts'
import { resolveZookeeper } from '../zookeeper/model.ts'
import { planZookeeper } from '../zookeeper/plan.ts'

/** Plans a lab of that name for this machine: programs found, ports free, memory enough. */
export async function planLab(topology: Topology, lab: string, home: string): Promise<Plan> {
  await checkPlatform()
  const folder = labFolder(home, lab)
  const reserved = reservedPorts(home)
  const firstPort = topology.basePort ?? (await freeBlock(folder, reserved))
  const network = findNetwork(process.env)
  const plan = planForNetwork(planCluster(topology, { lab, folder, firstPort, network }), network)
  checkReserved(portsOf(plan), reserved)
  checkMemory(availableMemoryMib(), plan.nodes.length, plan.kind)
  return plan
}

type Deployment = Pick<MariadbDeployment, 'lab' | 'folder' | 'firstPort' | 'network'>

function planCluster(topology: Topology, deployment: Deployment): Plan {
  switch (topology.kind) {
    case 'rabbitmq': {
      const search = findRabbit(process.env)
      if (search.kind === 'missing') throw missingServers(serversOf[topology.kind], search, detectHost())
      return planRabbit(resolveRabbit(topology, { ...deployment, installation: search.installation }))
    }
    case 'galera':
      return planGalera(resolveGalera(topology, mariadbDeployment(topology.kind, deployment)))
    case 'replication':
      return planReplication(resolveReplication(topology, mariadbDeployment(topology.kind, deployment)))
    case 'zookeeper': {
      const search = findZookeeper(process.env)
      if (search.kind === 'missing') throw missingServers(serversOf[topology.kind], search, detectHost())
      return planZookeeper(resolveZookeeper(topology, { ...deployment, installation: search.installation }))
    }
  }
}

function mariadbDeployment(kind: 'galera' | 'replication', deployment: Deployment): MariadbDeployment {
  const search = findMariadb(process.env)
  if (search.kind === 'missing') throw missingServers(serversOf[kind], search, detectHost())
  return {
    ...deployment,
    dataFolder: dataFolder(deployment.folder, process.getuid?.() ?? 0),
    installation: search.installation,
    runAs: serverAccount(),
    administrator: currentUser(),
  }
}

// Also those of a node that is down now: it will want them back.
function reservedPorts(home: string): ReservedPorts {
  return new Map(
    labNames(home).flatMap((lab) => {
      const plan = findPlan(labFolder(home, lab))
      return plan === undefined ? [] : portsOf(plan).map((port) => [port, lab] as const)
    }),
  )
}

async function freeBlock(folder: string, reserved: ReservedPorts): Promise<number> {
  for (const first of portBlocks(folder)) {
    const ports = Array.from({ length: portsPerLab }, (_, i) => first + i)
    if (ports.some((port) => reserved.has(port))) continue
    if ((await Promise.all(ports.map(isPortFree))).every((free) => free)) return first
  }
  throw labError(
    'port-taken',
    `no block of ${portsPerLab} free ports between 21000 and 29000; choose one with --base-port`,
  )
}
