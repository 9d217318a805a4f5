import type {
  FormationStep,
  LabPlan,
  PlannedCommand,
  PlannedFile,
  PlannedNode,
  PlannedProcess,
} from '../model/plan.ts'
import { argvInNamespace } from '../sandbox/sandbox-plan.ts'
import {
  needsDefinitions,
  nodeEnvironment,
  renderAdvancedConfig,
  renderConf,
  renderDefinitions,
  serverHome,
  sharedEnvironment,
} from './config.ts'
import { hasFeature, type RabbitModel, type RabbitNode } from './model.ts'
import { restartExpression, viewExpression } from './probe.ts'

// The length of the cookies that Erlang generates.
const cookieLength = 20
// A broker that paused itself in a minority starts again within two or three seconds. When its own restart and ours
// coincide, both can fail, and it stays down.
const stuckAfterMs = 6_000

/** Plans everything that starting the cluster will do. */
export function planRabbit(model: RabbitModel): LabPlan {
  const { lab, folder } = model.deployment
  return {
    schema: 'ha-plan/v1',
    lab,
    kind: 'rabbitmq',
    version: model.version.text,
    folder,
    detectMs: model.detectMs,
    url: amqpUrl(model),
    urlVariable: 'AMQP_URL',
    nodes: model.nodes.map((node) => plannedNode(model, node)),
    files: files(model),
    processes: [...epmds(model), ...model.nodes.map((node) => server(model, node))],
    form: formation(model),
    stop: [...model.nodes.map((node) => node.name).reverse(), ...epmds(model).map(({ name }) => name)],
    recovery: null,
    notes: model.notes,
  }
}

function plannedNode(model: RabbitModel, node: RabbitNode): PlannedNode {
  const { installation } = model.deployment
  const env = sharedEnvironment(model, node.host)
  const evaluate = (expression: string): PlannedCommand => ({
    // -r: a random name, so that two simultaneous queries do not replace each other.
    argv: [installation.erlCall, '-r', '-sname', node.member, '-e'],
    env,
    stdin: expression,
  })
  return {
    name: node.name,
    member: node.member,
    host: node.host,
    port: node.amqpPort,
    ask: evaluate(viewExpression),
    // pause_minority should do this and does not: survivors are connected again within milliseconds of the resume, so
    // the paused node never counts itself a minority and stays partitioned (six pauses of 6 to 9 s, no node came back).
    // autoheal hung in two of nine, and may choose the paused node as the winner.
    repair: { command: evaluate(restartExpression), patienceMs: stuckAfterMs },
    ctl: rabbitmqctl(model, node),
    levers: {},
  }
}

function files(model: RabbitModel): readonly PlannedFile[] {
  return [
    {
      path: 'home/.erlang.cookie',
      mode: 0o400,
      secret: true,
      content: { kind: 'random', length: cookieLength },
    },
    text('rabbitmq-env.conf', ''),
    text('definitions.json', renderDefinitions(model)),
    ...serverHome(model),
    ...model.nodes.flatMap((node) => [
      text(`nodes/${node.name}/rabbitmq.conf`, renderConf(model, node)),
      text(`nodes/${node.name}/advanced.config`, renderAdvancedConfig(model.timers)),
      text(`nodes/${node.name}/enabled_plugins`, '[].\n'),
    ]),
  ]
}

function text(path: string, content: string): PlannedFile {
  return { path, mode: 0o600, secret: false, content: { kind: 'text', text: content } }
}

// One for each address: nodes on the loopback interface share one.
function epmds(model: RabbitModel): readonly PlannedProcess[] {
  const hosts = new Map(model.nodes.map(({ epmd, host }) => [epmd, host]))
  return [...hosts].map(([name, host]) => epmd(model, name, host))
}

function epmd(model: RabbitModel, name: string, host: string): PlannedProcess {
  return {
    name,
    folder: model.deployment.folder,
    argv: [model.deployment.installation.epmd, '-port', String(model.epmdPort), '-address', host],
    env: sharedEnvironment(model, host),
    log: `${name}.log`,
    host,
    ports: [model.epmdPort],
    upPort: model.epmdPort,
    upCheck: null,
    needs: [],
    joins: [],
  }
}

function server(model: RabbitModel, node: RabbitNode): PlannedProcess {
  return {
    name: node.name,
    folder: model.deployment.folder,
    argv: [`${model.deployment.folder}/server/sbin/rabbitmq-server`],
    env: nodeEnvironment(model, node),
    log: `nodes/${node.name}/log`,
    host: node.host,
    ports: [node.amqpPort, node.distributionPort],
    upPort: node.amqpPort,
    upCheck: null,
    needs: [node.epmd],
    joins: [],
  }
}

// The first node starts alone, then all others together, so that a joiner always finds a cluster. Starting all at once
// is a second quicker (7 s against 8 for three nodes on 2 busy cores), but a late first node then waits for locks for
// up to 20 s. From 4.0 on a first node alone waits for its peers: for 98 s (4.3.6), or past the limit of a start (4.0.5).
function formation(model: RabbitModel): readonly FormationStep[] {
  const names = model.nodes.map((node) => node.name)
  const startsAlone = hasFeature(model.version, 'loneSeed')
  const [seed, ...joiners] = names
  const others = startsAlone ? joiners : names
  const steps: FormationStep[] = [{ do: 'start', processes: epmds(model).map(({ name }) => name) }]
  if (seed !== undefined && startsAlone) steps.push({ do: 'start', processes: [seed] })
  if (others.length > 0) steps.push({ do: 'start', processes: others })
  steps.push({ do: 'agree' })
  const first = model.nodes[0]
  if (first !== undefined && needsDefinitions(model)) {
    const commands = [importDefinitions(model, first)]
    steps.push({ do: 'run', what: 'importing virtual hosts and policies', commands })
  }
  return steps
}

function rabbitmqctl(model: RabbitModel, node: RabbitNode): PlannedCommand {
  const argv = [`${model.deployment.folder}/server/sbin/rabbitmqctl`, '-n', node.member]
  return { argv, env: sharedEnvironment(model, node.host), stdin: '' }
}

function importDefinitions(model: RabbitModel, node: RabbitNode): PlannedCommand {
  const ctl = rabbitmqctl(model, node)
  const path = `${model.deployment.folder}/definitions.json`
  return {
    ...ctl,
    argv: argvInNamespace(model.deployment.network, node.host, [...ctl.argv, 'import_definitions', path]),
  }
}

function amqpUrl(model: RabbitModel): string {
  return `amqp://guest:guest@${model.nodes.map(({ host, amqpPort }) => `${host}:${amqpPort}`).join(',')}`
}
