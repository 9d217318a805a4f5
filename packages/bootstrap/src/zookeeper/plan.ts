import type { LabPlan, PlannedFile, PlannedNode, PlannedProcess } from '../model/plan.ts'
import { environment, log4jProperties, logbackXml, renderConf } from './config.ts'
import type { ZookeeperDeployment, ZookeeperModel, ZookeeperNode } from './model.ts'
import { fourLetterWord, memberName } from './probe.ts'

/** Plans everything that starting the ensemble will do. */
export function planZookeeper(model: ZookeeperModel): LabPlan {
  const { deployment, nodes } = model
  const names = nodes.map(({ name }) => name)
  return {
    schema: 'ha-plan/v1',
    lab: deployment.lab,
    kind: 'zookeeper',
    version: deployment.installation.version,
    folder: deployment.folder,
    detectMs: model.detectMs,
    url: nodes.map(({ host, clientPort }) => `${host}:${clientPort}`).join(','),
    urlVariable: 'ZOOKEEPER_CONNECT',
    nodes: nodes.map((node) => plannedNode(model, node)),
    files: files(model),
    processes: nodes.map((node) => server(model, node)),
    // All servers start at once: the first ones wait for a majority.
    form: [{ do: 'start', processes: names }, { do: 'agree' }],
    stop: [...names].reverse(),
    // After a full stop the servers elect the most advanced one by themselves.
    recovery: null,
    notes: model.notes,
  }
}

function plannedNode({ deployment }: ZookeeperModel, node: ZookeeperNode): PlannedNode {
  return {
    name: node.name,
    member: memberName(node.id),
    host: node.host,
    port: node.clientPort,
    ask: fourLetterWord(deployment, node, ['mntr']),
    // A resumed server finds that the others went on, and follows them by itself.
    repair: null,
    ctl: fourLetterWord(deployment, node, []),
    levers: {},
  }
}

function files(model: ZookeeperModel): readonly PlannedFile[] {
  return [
    text('log4j.properties', log4jProperties),
    text('logback.xml', logbackXml),
    ...model.nodes.flatMap((node) => [
      text(
        `${nodeFolder(node)}/zoo.cfg`,
        renderConf(model, node, `${model.deployment.folder}/${nodeFolder(node)}/data`),
      ),
      text(`${nodeFolder(node)}/data/myid`, `${node.id}\n`),
    ]),
  ]
}

function text(path: string, content: string): PlannedFile {
  return { path, mode: 0o600, secret: false, content: { kind: 'text', text: content } }
}

function server({ deployment, nodes }: ZookeeperModel, node: ZookeeperNode): PlannedProcess {
  const { clientPort, quorumPort, electionPort } = node
  return {
    name: node.name,
    folder: deployment.folder,
    argv: serverArgv(deployment, `${deployment.folder}/${nodeFolder(node)}/zoo.cfg`),
    env: environment(deployment),
    log: `${nodeFolder(node)}/log`,
    host: node.host,
    ports: nodes.length === 1 ? [clientPort] : [clientPort, quorumPort, electionPort],
    upPort: clientPort,
    upCheck: null,
    needs: [],
    joins: [],
  }
}

function nodeFolder({ name }: ZookeeperNode): string {
  return `nodes/${name}`
}

const mainClass = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'

// Three Java VMs share a small machine: a small heap, the serial collector, and the fast compiler only.
const memoryFlags = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

// Nothing is left in /tmp; a server without memory exits; and 127.0.0.1 is an IPv4 address.
const jvmFlags = ['-XX:-UsePerfData', '-XX:+ExitOnOutOfMemoryError', '-Djava.net.preferIPv4Stack=true']

// Expired containers and TTL nodes are looked for every second instead of every minute, which keeps tests that wait for
// their removal short.
const containerCheckFlag = '-Dznode.container.checkIntervalMs=1000'

/** The command line of a server with this configuration file. */
function serverArgv(deployment: ZookeeperDeployment, confPath: string): readonly string[] {
  const { java, classPath } = deployment.installation
  return [
    java,
    ...memoryFlags,
    ...jvmFlags,
    containerCheckFlag,
    ...loggingFlags(deployment),
    '-cp',
    classPath.join(':'),
    mainClass,
    confPath,
  ]
}

// All output goes to standard output, which is the node's log. Debian's 3.8.0 logs through log4j 1.2, later releases
// through logback; each reads its own property and ignores the other.
function loggingFlags({ folder }: ZookeeperDeployment): readonly string[] {
  return [
    `-Dlog4j.configuration=file:${folder}/log4j.properties`,
    `-Dlogback.configurationFile=${folder}/logback.xml`,
    '-Dzookeeper.jmx.log4j.disable=true',
  ]
}
