import { hostNameOf } from '../model/network.ts'
import { type PlannedCommand, shellQuote } from '../model/plan.ts'

/** The address of every process in a sandbox that is not a node: applications, tests, the supervisor. */
export const clientHost = '10.77.0.2'

/** The address of the router, which forwards every packet between nodes. */
const routerHost = '10.77.0.1'

/**
 * All addresses of a sandbox, in the notation of MariaDB. No node has an address in 10.77.0, since ports begin at
 * 1024.
 */
export const anyHost = '10.77.%'

/** The file that is bound to the network namespace of the router. */
function routerNamespace(folder: string): string {
  return `${folder}/router`
}

/** The file that is bound to the network namespace of the node with this address. */
export function nodeNamespace(folder: string, host: string): string {
  return `${folder}/${host}`
}

/** A node with its address and its first port. */
export interface NetworkNode {
  readonly host: string
  readonly port: number
}

/**
 * Creates the router of a new sandbox and connects the namespace of the calling process to it, as that of the clients.
 */
export function createRouter(folder: string): PlannedCommand {
  const [router, hosts] = [routerNamespace(folder), `${folder}/hosts`]
  const inRouter = enterNamespace(router)
  return script([
    'ip link set lo up',
    ...newNamespace(router),
    `ip link add name eth0 type veth peer name clients netns ${shellQuote(router)}`,
    `${inRouter}ip link set lo up`,
    `${inRouter}ip address add ${routerHost}/32 dev lo`,
    `${inRouter}sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'`,
    ...routeTo(inRouter, 'clients', clientHost),
    ...connectToRouter('', clientHost),
    // From here on all processes of the sandbox read a copy, to which nodes may add their names.
    `cp /etc/hosts ${shellQuote(hosts)}`,
    `mount --bind ${shellQuote(hosts)} /etc/hosts`,
  ])
}

/** Creates the namespace of a node, which only the router can reach. One that an earlier lab left is replaced. */
export function createNodeNamespace(folder: string, node: NetworkNode): PlannedCommand {
  const own = nodeNamespace(folder, node.host)
  const [inRouter, inNode] = [enterNamespace(routerNamespace(folder)), enterNamespace(own)]
  const wire = hostNameOf({ kind: 'sandbox', folder }, node.port)
  return script([
    `! mountpoint -q ${shellQuote(own)} || umount ${shellQuote(own)}`,
    `${inRouter}ip link delete ${wire} 2>/dev/null || true`,
    ...deleteRules(inRouter, node),
    ...newNamespace(own),
    `${inRouter}ip link add name ${wire} type veth peer name eth0 netns ${shellQuote(own)}`,
    ...routeTo(inRouter, wire, node.host),
    `${inNode}ip link set lo up`,
    ...connectToRouter(inNode, node.host),
    `grep -q '^${node.host} ' /etc/hosts || echo '${node.host} ${wire}' >> /etc/hosts`,
  ])
}

/** Makes the router drop all packets in these directions, without a reply to the sender. */
export function blockTraffic(
  folder: string,
  node: NetworkNode,
  directions: readonly string[],
): PlannedCommand {
  return inRouter(folder, [
    ...deleteRules('', node),
    ...directions.map((direction) => `ip rule add pref ${rulePriority(node)} ${direction} blackhole`),
  ])
}

/** Removes the rules that were added for this node. */
export function unblockTraffic(folder: string, node: NetworkNode): PlannedCommand {
  return inRouter(folder, deleteRules('', node))
}

function inRouter(folder: string, lines: readonly string[]): PlannedCommand {
  const command = script(lines)
  return { ...command, argv: ['nsenter', `--net=${routerNamespace(folder)}`, ...command.argv] }
}

// The first line that fails ends the script.
function script(lines: readonly string[]): PlannedCommand {
  return {
    argv: ['sh', '-e'],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdin: lines.map((line) => `${line}\n`).join(''),
  }
}

function enterNamespace(namespace: string): string {
  return `nsenter --net=${shellQuote(namespace)} `
}

// A namespace exists as long as a file is bound to it.
function newNamespace(path: string): readonly string[] {
  return [`: > ${shellQuote(path)}`, `unshare --net=${shellQuote(path)} true`]
}

function routeTo(inRouter: string, wire: string, host: string): readonly string[] {
  return [`${inRouter}ip link set ${wire} up`, `${inRouter}ip route add ${host} dev ${wire}`]
}

function connectToRouter(inNamespace: string, host: string): readonly string[] {
  return [
    `${inNamespace}ip address add ${host}/32 dev eth0`,
    `${inNamespace}ip link set eth0 up`,
    `${inNamespace}ip route add ${routerHost} dev eth0`,
    `${inNamespace}ip route add default via ${routerHost}`,
  ]
}

// Rules are deleted one by one, and deleting a missing rule is an error.
function deleteRules(inRouter: string, node: NetworkNode): readonly string[] {
  return ['from', 'to'].map(
    (side) =>
      `while ${inRouter}ip rule delete pref ${rulePriority(node)} ${side} ${node.host} 2>/dev/null; do :; done`,
  )
}

// Two nodes may be cut off from each other, each by rules of its own, and the priority identifies the node of a rule.
// The main table, which would let the packet pass, has priority 32766.
function rulePriority({ port }: NetworkNode): number {
  return 1 + (port % 32_000)
}
