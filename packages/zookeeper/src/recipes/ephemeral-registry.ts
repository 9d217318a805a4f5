import type { ClientContext } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Bytes } from '../node.ts'
import { checkPath } from '../operations/paths.ts'
import {
  type Ephemeral,
  type EphemeralOptions,
  type ResolvedEphemeralOptions,
  resolveEphemeralOptions,
} from './ephemeral.ts'
import { checkEphemeralData, EphemeralNode } from './ephemeral-node.ts'
import { fixedLocation, type NodeLocation, sequentialLocation } from './ephemeral-reconciler.ts'

/** A path that is reserved for one ephemeral node of this client, also while that node does not exist. */
export interface ReservedPath {
  readonly path: string
  /** Creates and maintains the node. Throws `closed`. */
  open(data: Bytes | (() => Bytes), options?: Omit<EphemeralOptions, 'sequential'>): Ephemeral
  /** Ends the reservation. The path is free once the node is closed. */
  release(): void
}

/** The ephemeral nodes of one client. */
export class EphemeralRegistry {
  readonly #context: ClientContext
  readonly #wasOurs: (sessionId: bigint) => boolean
  /** By the requested path. */
  readonly #nodes = new Map<string, EphemeralNode>()
  readonly #reserved = new Set<string>()

  /** `wasOurs` returns whether a session was an earlier one of this client. */
  constructor(context: ClientContext, wasOurs: (sessionId: bigint) => boolean) {
    this.#context = context
    this.#wasOurs = wasOurs
  }

  /** Creates and maintains a node. Throws `config-invalid` while this client has one at the path, and `closed`. */
  open(path: string, data: Bytes | (() => Bytes), options?: EphemeralOptions): Ephemeral {
    checkPath(path)
    checkEphemeralData(data, 'ephemeral', path)
    const resolved = resolveEphemeralOptions(options)
    if (resolved.sequential) return this.#add(sequentialLocation(path, this.#context), data, resolved)
    this.#checkFree(path)
    return this.#add(fixedLocation(path, this.#context), data, resolved)
  }

  /** Reserves a path for a node that is opened later. Throws `config-invalid` as {@link open} does. */
  reserve(path: string): ReservedPath {
    checkPath(path)
    this.#checkFree(path)
    this.#reserved.add(path)
    return {
      path,
      open: (data, options) =>
        this.#add(fixedLocation(path, this.#context), data, resolveEphemeralOptions(options)),
      release: () => this.#reserved.delete(path),
    }
  }

  #add(location: NodeLocation, data: Bytes | (() => Bytes), options: ResolvedEphemeralOptions): Ephemeral {
    this.#context.signal.throwIfAborted()
    // An ephemeral that is still closing stops: the new one takes its node over instead of losing a race with its deletion.
    this.#nodes.get(location.path)?.handOver()
    const node: EphemeralNode = new EphemeralNode(
      {
        context: this.#context,
        key: `ephemeral ${location.path}`,
        location,
        wasOurs: this.#wasOurs,
        options,
        onEnd: () => this.#nodes.delete(location.path),
      },
      data,
    )
    this.#nodes.set(location.path, node)
    this.#context.link.start()
    return node
  }

  #checkFree(path: string): void {
    const { kind } = this.#nodes.get(path)?.state ?? { kind: 'closed' }
    if (kind === 'closed' && !this.#reserved.has(path)) return
    const message = `this client has an ephemeral node at ${path} already: update that one, or close it first`
    throw new ZookeeperError('config-invalid', message, { path })
  }
}
