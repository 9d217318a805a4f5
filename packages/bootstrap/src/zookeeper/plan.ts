import type { Plan, PlannedFile, PlannedNode, PlannedProcess } from '../model/plan.ts'
import { memberName } from './answers.ts'
import { renderConf } from './conf.ts'
import { environment } from './environment.ts'
import { fourLetterWord } from './four-letter-word.ts'
import { log4jProperties, logbackXml } from './log-settings.ts'
import type { ZookeeperModel, ZookeeperNode } from './model.ts'
import { serverArgv } from './server-command.ts'

/** Everything that starting the ensemble will do. */
export function planZookeeper(model: ZookeeperModel): Plan {
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
    // All at once: whoever comes first waits for a majority.
    form: [{ do: 'start', processes: names }, { do: 'agree' }],
    stop: [...names].reverse(),
    // After a full stop the servers elect the one that is farthest by themselves.
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
    // One that wakes finds that the others went on, and follows them by itself.
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
