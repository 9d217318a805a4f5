/** What goes into a file: text, a secret drawn once when the lab is made, or a symbolic link. */
type FileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'random'; readonly length: number }
  | { readonly kind: 'link'; readonly target: string }

/** A file of the lab. */
export interface PlannedFile {
  /** Relative to the lab's folder. */
  readonly path: string
  readonly mode: number
  /** True when only the owner may read it; the content of such a file is never part of a plan. */
  readonly secret: boolean
  readonly content: FileContent
}

/** A command: what to type, with which environment, and what to feed it. */
export interface Command {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

/** A process that the lab keeps: a node, or something that nodes need. */
export interface PlannedProcess {
  readonly name: string
  /** The folder it runs in; absolute. */
  readonly folder: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Relative to the lab's folder; everything the process prints goes there. */
  readonly log: string
  /** The address on which it listens: 127.0.0.1, or that of its node in a sandbox. */
  readonly host: string
  /** Every port it listens on. */
  readonly ports: readonly number[]
  /** It is up when this port accepts a connection, */
  readonly upPort: number
  /** and this command succeeds; null where the port says enough. */
  readonly upCheck: Command | null
  /** Processes that must be up before it starts. */
  readonly needs: readonly string[]
  /** It starts by joining one of these, so one at least must run; empty where it needs nobody. */
  readonly joins: readonly string[]
}

/** What a server of the lab can be told by a command, and the faults that come of it. */
export const serverFaults = ['isolate', 'desync', 'reject-queries', 'read-only', 'stop-applier'] as const

/** A fault that a server inflicts on itself when it is told to. */
export type ServerFault = (typeof serverFaults)[number]

/** What can be done to the network of a node in a sandbox: it is cut from its peers, from its clients, or from all. */
export const networkFaults = ['partition', 'partition-clients', 'partition-all'] as const

/** A fault of the network between a node and others. */
export type NetworkFault = (typeof networkFaults)[number]

/** From whom a node can be cut. */
export const partitionSides = ['peers', 'clients', 'all'] as const

/** From whom a node is cut. */
export type PartitionSide = (typeof partitionSides)[number]

/** The fault that cuts a node from these. */
export const partitionFrom: Readonly<Record<PartitionSide, NetworkFault>> = {
  peers: 'partition',
  clients: 'partition-clients',
  all: 'partition-all',
}

/** How a fault is inflicted and undone. Both may be run twice. */
export interface FaultCommands {
  readonly begin: Command
  readonly heal: Command
}

/** How a member that woke up apart from the others is put back. */
export interface Repair {
  /** The command that does it; null: the node is stopped gracefully and started again. */
  readonly command: Command | null
  /** How long a member may come back by itself before it is repaired. */
  readonly patienceMs: number
}

/** A server of the cluster, as its users and its peers see it. */
export interface PlannedNode {
  /** The name that people type; also the name of its process. */
  readonly name: string
  /** The name that the members of the cluster use for it. */
  readonly member: string
  readonly host: string
  readonly port: number
  /** Asks this member what it believes; its kind reads the answer. Null: it votes and takes no questions. */
  readonly ask: Command | null
  /** Null where a member always comes back by itself. */
  readonly repair: Repair | null
  /** The administration tool of this node, to which arguments are added; null where there is none. */
  readonly ctl: Command | null
  /** The faults that this node knows beside those of its process. */
  readonly levers: Readonly<Partial<Record<ServerFault | NetworkFault, FaultCommands>>>
}

/** A node whose data a stopped cluster may be started from. */
export interface PlannedSource {
  readonly node: string
  /** What the node wrote about its data when it stopped; absolute. */
  readonly stateFile: string
  /** Which members it saw last; absolute, and gone after a graceful stop. */
  readonly viewFile: string
  /** Reads the position out of the data of a stopped node. */
  readonly findPosition: Command
  /** Asks a running node whether it may serve and how far it got. */
  readonly askStanding: Command
  /** Makes a running node without a majority the whole cluster. */
  readonly promote: Command
}

/** How a cluster is brought back of which too little runs for it to come back by itself. */
export interface PlannedRecovery {
  /** The arguments with which one process founds the cluster anew, once. */
  readonly founding: readonly string[]
  readonly sources: readonly PlannedSource[]
  /** Members without data: they start last and can be nobody's source. */
  readonly arbitrators: readonly string[]
}

/** One step of forming a cluster. */
export type Step =
  | { readonly do: 'start'; readonly processes: readonly string[] }
  /** Starts one process with arguments that it gets this once, though there is nobody that it could join. */
  | { readonly do: 'found'; readonly process: string; readonly args: readonly string[] }
  | { readonly do: 'agree' }
  | { readonly do: 'run'; readonly what: string; readonly commands: readonly Command[] }

/** The kinds of cluster that labs are made of. */
export const kindNames = ['rabbitmq', 'galera', 'replication', 'zookeeper'] as const

/** A kind of cluster. */
export type KindName = (typeof kindNames)[number]

/** Everything that will be done, before anything is done: plain data, the same for the same topology and place. */
export interface Plan {
  readonly schema: 'ha-plan/v1'
  readonly lab: string
  readonly kind: KindName
  readonly version: string
  readonly folder: string
  readonly detectMs: number | null
  /** What an application dials. */
  readonly url: string
  /** The environment variable in which applications look for it. */
  readonly urlVariable: string
  readonly nodes: readonly PlannedNode[]
  readonly files: readonly PlannedFile[]
  readonly processes: readonly PlannedProcess[]
  readonly form: readonly Step[]
  /** The order in which processes are ended. */
  readonly stop: readonly string[]
  /** Null where the servers come back by themselves. */
  readonly recovery: PlannedRecovery | null
  /** What the plan leaves out or chooses, in sentences for the user. */
  readonly notes: readonly string[]
}

/** Text as one word of a shell command, whatever is in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
