/** What goes into a file: text, a secret drawn once when the lab is made, or a symbolic link. */
export type FileContent =
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
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Relative to the lab's folder; everything the process prints goes there. */
  readonly log: string
  /** Every port it listens on, all on 127.0.0.1. */
  readonly ports: readonly number[]
  /** It is up when this port accepts a connection. */
  readonly upPort: number
  /** Processes that must be up before it starts. */
  readonly needs: readonly string[]
}

/** A server of the cluster, as its users and its peers see it. */
export interface PlannedNode {
  /** The name that people type; also the name of its process. */
  readonly name: string
  /** The name that the members of the cluster use for it. */
  readonly member: string
  readonly host: string
  readonly port: number
  /** Asks this member what it believes; its kind reads the answer. */
  readonly ask: Command
  /** Puts a member back that woke up apart from the others; null where the server does that by itself. */
  readonly repair: Command | null
  /** The administration tool of this node, to which arguments are added. */
  readonly ctl: Command
}

/** One step of forming a cluster. */
export type Step =
  | { readonly do: 'start'; readonly processes: readonly string[] }
  | { readonly do: 'agree' }
  | { readonly do: 'run'; readonly what: string; readonly command: Command }

/** Everything that will be done, before anything is done: plain data, the same for the same topology and place. */
export interface Plan {
  readonly schema: 'ha-plan/v1'
  readonly lab: string
  readonly kind: 'rabbitmq'
  readonly version: string
  readonly folder: string
  readonly detectMs: number | null
  /** What an application dials. */
  readonly url: string
  readonly nodes: readonly PlannedNode[]
  readonly files: readonly PlannedFile[]
  readonly processes: readonly PlannedProcess[]
  readonly form: readonly Step[]
  /** The order in which processes are ended. */
  readonly stop: readonly string[]
  /** What the plan leaves out or chooses, in sentences for the user. */
  readonly notes: readonly string[]
}
