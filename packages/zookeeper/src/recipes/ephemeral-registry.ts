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
import { EphemeralNode } from './ephemeral-node.ts'
import { fixedLocation, type NodeLocation, sequentialLocation } from './ephemeral-reconciler.ts'

/** A path where nobody else in this client keeps an ephemeral node, before there is one and when there is. */
export interface ReservedPath {
  readonly path: string
  /** Begins to keep the node. Throws `closed`. */
  open(data: Bytes | (() => Bytes), options?: Omit<EphemeralOptions, 'sequential'>): Ephemeral
  /** Others may have the path, once the node is closed. */
  release(): void
}

/** The ephemeral nodes that one client keeps. */
export class EphemeralRegistry {
  readonly #ground: ClientContext
  readonly #wasOurs: (sessionId: bigint) => boolean
  /** By what a create is given. */
  readonly #nodes = new Map<string, EphemeralNode>()
  readonly #reserved = new Set<string>()

  /** `wasOurs` is true of a session that this client had before. */
  constructor(ground: ClientContext, wasOurs: (sessionId: bigint) => boolean) {
    this.#ground = ground
    this.#wasOurs = wasOurs
  }

  /** Begins to keep a node at a path. Throws `config-invalid` while this client keeps one there already, and `closed`. */
  open(path: string, data: Bytes | (() => Bytes), options?: EphemeralOptions): Ephemeral {
    checkPath(path)
    const resolved = resolveEphemeralOptions(options)
    if (resolved.sequential) return this.#keep(sequentialLocation(path, this.#ground), data, resolved)
    this.#checkFree(path)
    return this.#keep(fixedLocation(path, this.#ground), data, resolved)
  }

  /** Keeps a path for a node that is opened later. Throws `config-invalid` as {@link open} does. */
  reserve(path: string): ReservedPath {
    checkPath(path)
    this.#checkFree(path)
    this.#reserved.add(path)
    return {
      path,
      open: (data, options) =>
        this.#keep(fixedLocation(path, this.#ground), data, resolveEphemeralOptions(options)),
      release: () => this.#reserved.delete(path),
    }
  }

  #keep(
    site: NodeLocation,
    data: Bytes | (() => Bytes),
    { takeover, parents, acl }: ResolvedEphemeralOptions,
  ): Ephemeral {
    this.#ground.signal.throwIfAborted()
    // One that is being closed has no more to do there: what it would delete is taken up by the next one.
    this.#nodes.get(site.path)?.handOver()
    const node: EphemeralNode = new EphemeralNode(
      {
        ground: this.#ground,
        key: `ephemeral ${site.path}`,
        location: site,
        wasOurs: this.#wasOurs,
        takesOver: takeover,
        parents,
        acl,
        onEnd: () => this.#nodes.delete(site.path),
      },
      data,
    )
    this.#nodes.set(site.path, node)
    this.#ground.link.start()
    return node
  }

  #checkFree(path: string): void {
    const { kind } = this.#nodes.get(path)?.state ?? { kind: 'closed' }
    if (kind === 'closed' && !this.#reserved.has(path)) return
    const message = `this client keeps a node at ${path} already: update that one, or close it first`
    throw new ZookeeperError('config-invalid', message, { path })
  }
}
