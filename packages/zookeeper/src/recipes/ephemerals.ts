import type { Ground } from '../ground.ts'
import type { Bytes } from '../node.ts'
import { checkPath } from '../operations/paths.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { Ephemeral } from './ephemeral.ts'
import { EphemeralNode } from './ephemeral-node.ts'
import { type EphemeralOptions, resolveEphemeralOptions } from './ephemeral-options.ts'
import { fixedSite, numberedSite, type Site } from './ephemeral-site.ts'

/** The ephemeral nodes that one client keeps. */
export class Ephemerals {
  readonly #ground: Ground
  readonly #wasOurs: (sessionId: bigint) => boolean
  /** By what a create is given. */
  readonly #nodes = new Map<string, EphemeralNode>()

  /** `wasOurs` is true of a session that this client had before. */
  constructor(ground: Ground, wasOurs: (sessionId: bigint) => boolean) {
    this.#ground = ground
    this.#wasOurs = wasOurs
  }

  /** Begins to keep a node at a path. Throws `config-invalid` while this client keeps one there already, and `closed`. */
  open(path: string, data: Bytes | (() => Bytes), options?: EphemeralOptions): Ephemeral {
    checkPath(path)
    this.#ground.signal.throwIfAborted()
    const { sequential, takeover, parents, acl } = resolveEphemeralOptions(options)
    const site = sequential ? numberedSite(path, this.#ground) : fixedSite(path, this.#ground)
    this.#makeRoom(site)
    const node: EphemeralNode = new EphemeralNode(
      {
        ground: this.#ground,
        key: `ephemeral ${site.path}`,
        site,
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

  // One that is being closed has no more to do there: what it would delete is taken up by the next one.
  #makeRoom({ path }: Site): void {
    const before = this.#nodes.get(path)
    if (before === undefined) return
    if (before.state.kind !== 'closed') {
      const message = `this client has an ephemeral at ${path} already: update that one, or close it first`
      throw new ZookeeperError('config-invalid', message, { path })
    }
    before.handOver()
  }
}
