/** The content of a file: text, a secret that is generated when the lab is created, or a symbolic link. */
type FileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'random'; readonly length: number }
  | { readonly kind: 'link'; readonly target: string }

/** A file of the lab. */
export interface PlannedFile {
  /** Relative to the lab's folder. */
  readonly path: string
  readonly mode: number
  /** True when only the owner may read the file; the plan never contains its content. */
  readonly secret: boolean
  readonly content: FileContent
}

/** A command line with its environment and its standard input. */
export interface PlannedCommand {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

/** A process that the supervisor keeps running: a node, or something that nodes need. */
export interface PlannedProcess {
  readonly name: string
  /** The working folder; absolute. */
  readonly folder: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Relative to the lab's folder; receives everything that the process prints. */
  readonly log: string
  /** The address on which the process listens: 127.0.0.1, or that of its node in a sandbox. */
  readonly host: string
  /** All ports on which the process listens. */
  readonly ports: readonly number[]
  /** The process is up when this port accepts a connection */
  readonly upPort: number
  /** and when this command succeeds; null where an open port is sufficient. */
  readonly upCheck: PlannedCommand | null
  /** The processes that must be up before this one starts. */
  readonly needs: readonly string[]
  /** The process starts by joining one of these, so at least one must run; empty where it joins none. */
  readonly joins: readonly string[]
}

/** The faults that a server of a lab inflicts on itself by command. */
export const serverFaults = ['isolate', 'desync', 'reject-queries', 'read-only', 'stop-applier'] as const

/** A fault that a server inflicts on itself by command. */
export type ServerFault = (typeof serverFaults)[number]

/** The network faults of a node in a sandbox: it is cut off from its peers, from its clients, or from both. */
export const networkFaults = ['partition', 'partition-clients', 'partition-all'] as const

/** A fault of the network between a node and others. */
export type NetworkFault = (typeof networkFaults)[number]

/** The sides from which a node can be cut off. */
export const partitionSides = ['peers', 'clients', 'all'] as const

/** The side from which a node is cut off. */
export type PartitionSide = (typeof partitionSides)[number]

/** The network fault for each side. */
export const partitionFrom: Readonly<Record<PartitionSide, NetworkFault>> = {
  peers: 'partition',
  clients: 'partition-clients',
  all: 'partition-all',
}

/** The commands that inflict a fault and undo it. Both are idempotent. */
export interface FaultCommands {
  readonly begin: PlannedCommand
  readonly heal: PlannedCommand
}

/** How a member that is partitioned from the others is brought back. */
export interface Repair {
  /** The command that repairs it; null: the node is stopped gracefully and started again. */
  readonly command: PlannedCommand | null
  /** How long the member may take to recover by itself before it is repaired, in milliseconds. */
  readonly patienceMs: number
}

/** A server of the cluster, as its users and its peers address it. */
export interface PlannedNode {
  /** The name that users type; also the name of its process. */
  readonly name: string
  /** The name that the members of the cluster use for it. */
  readonly member: string
  readonly host: string
  readonly port: number
  /**
   * Asks this member for its view; the kind's probe reads the output. Null: the member only votes and cannot be asked.
   */
  readonly ask: PlannedCommand | null
  /** Null where a member always recovers by itself. */
  readonly repair: Repair | null
  /** The administration tool of this node, to which arguments are appended; null where there is none. */
  readonly ctl: PlannedCommand | null
  /** The faults that this node supports in addition to those of its process. */
  readonly levers: Readonly<Partial<Record<ServerFault | NetworkFault, FaultCommands>>>
}

/** A node with data from which a stopped cluster can be started. */
export interface PlannedSource {
  readonly node: string
  /** The file in which a stopping node records the position of its data; absolute. */
  readonly stateFile: string
  /** The file in which a node records the last membership it saw; absolute, and deleted by a graceful stop. */
  readonly viewFile: string
  /** Reads the position from the data of a stopped node. */
  readonly findPosition: PlannedCommand
  /** Asks a running node whether it is in the primary component, and for its position. */
  readonly askStanding: PlannedCommand
  /** Makes a running node without a majority the primary component. */
  readonly promote: PlannedCommand
}

/** How to bring back a cluster of which too little runs to recover by itself. */
export interface PlannedRecovery {
  /** The arguments with which one process bootstraps the cluster, once. */
  readonly founding: readonly string[]
  readonly sources: readonly PlannedSource[]
  /** Members without data: they start last and cannot be a source. */
  readonly arbitrators: readonly string[]
}

/** One step of forming a cluster. */
export type FormationStep =
  | { readonly do: 'start'; readonly processes: readonly string[] }
  /** Starts one process with arguments for this start only, although there is no peer to join. */
  | { readonly do: 'found'; readonly process: string; readonly args: readonly string[] }
  | { readonly do: 'agree' }
  | { readonly do: 'run'; readonly what: string; readonly commands: readonly PlannedCommand[] }

/** The kinds of cluster that a lab can be. */
export const kindNames = ['rabbitmq', 'galera', 'replication', 'zookeeper'] as const

/** A kind of cluster. */
export type KindName = (typeof kindNames)[number]

/**
 * Everything that starting the lab will do, decided before anything is done: plain data that depends on nothing but
 * the topology and the deployment. It is stored as `plan.json`, so its property names are a file format.
 */
export interface LabPlan {
  readonly schema: 'ha-plan/v1'
  readonly lab: string
  readonly kind: KindName
  readonly version: string
  readonly folder: string
  readonly detectMs: number | null
  /** The address that an application connects to. */
  readonly url: string
  /** The environment variable in which applications look for the address. */
  readonly urlVariable: string
  readonly nodes: readonly PlannedNode[]
  readonly files: readonly PlannedFile[]
  readonly processes: readonly PlannedProcess[]
  readonly form: readonly FormationStep[]
  /** The order in which processes are ended. */
  readonly stop: readonly string[]
  /** Null where the servers recover by themselves. */
  readonly recovery: PlannedRecovery | null
  /** What the plan leaves out or chooses, as sentences for the user. */
  readonly notes: readonly string[]
}

/** Quotes text as one word of a shell command. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
