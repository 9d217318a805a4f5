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
  const { place, nodes } = model
  const names = nodes.map(({ name }) => name)
  return {
    schema: 'ha-plan/v1',
    lab: place.lab,
    kind: 'zookeeper',
    version: place.installation.version,
    folder: place.folder,
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

function plannedNode({ place }: ZookeeperModel, node: ZookeeperNode): PlannedNode {
  return {
    name: node.name,
    member: memberName(node.id),
    host: node.host,
    port: node.clientPort,
    ask: fourLetterWord(place, node, ['mntr']),
    // One that wakes finds that the others went on, and follows them by itself.
    repair: null,
    ctl: fourLetterWord(place, node, []),
    levers: {},
  }
}

function files(model: ZookeeperModel): readonly PlannedFile[] {
  return [
    text('log4j.properties', log4jProperties),
    text('logback.xml', logbackXml),
    ...model.nodes.flatMap((node) => [
      text(`${own(node)}/zoo.cfg`, renderConf(model, node, `${model.place.folder}/${own(node)}/data`)),
      text(`${own(node)}/data/myid`, `${node.id}\n`),
    ]),
  ]
}

function text(path: string, content: string): PlannedFile {
  return { path, mode: 0o600, secret: false, content: { kind: 'text', text: content } }
}

function server({ place, nodes }: ZookeeperModel, node: ZookeeperNode): PlannedProcess {
  const { clientPort, quorumPort, electionPort } = node
  return {
    name: node.name,
    folder: place.folder,
    argv: serverArgv(place, `${place.folder}/${own(node)}/zoo.cfg`),
    env: environment(place),
    log: `${own(node)}/log`,
    host: node.host,
    ports: nodes.length === 1 ? [clientPort] : [clientPort, quorumPort, electionPort],
    upPort: clientPort,
    upCheck: null,
    needs: [],
    joins: [],
  }
}

function own({ name }: ZookeeperNode): string {
  return `nodes/${name}`
}
