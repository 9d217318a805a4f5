import { checked, flag, resolveOptions } from '@ha/core/driver'
import type { Acl, Node } from '../node.ts'
import { ZookeeperError } from '../zookeeper-error.ts'

export interface EphemeralOptions {
  /**
   * Whether a node that another session holds is an earlier life of ours, and may be replaced at once: `true` where the
   * path names the instance, or a look at the node. One that came after ours is never replaced, so that two with one
   * name do not drive each other out for ever. Default false: its end is waited for.
   *
   * What is replaced is what was looked at, as far as its version tells, for servers compare nothing else. When it ends
   * after the look, and within that one round trip a stranger takes the path and has written to it as often (never, as a
   * rule), it is the stranger that is replaced, and told so by its watch. Let no stranger use the path, or wait.
   */
  readonly takeover?: boolean | ((node: Node) => boolean) | undefined
  /** The server adds a number of ten digits to the name, and another one each time the node is made. Default false. */
  readonly sequential?: boolean | undefined
  /** Default: what the client's `acl` says of the path. */
  readonly acl?: readonly Acl[] | undefined
  /** Makes the parents that are missing, as containers where the server has them. Default true. */
  readonly parents?: boolean | undefined
}

/** {@link EphemeralOptions}, checked and completed. */
export interface ResolvedEphemeralOptions {
  readonly takeover: (node: Node) => boolean
  readonly sequential: boolean
  readonly acl: readonly Acl[] | undefined
  readonly parents: boolean
}

/** Throws `config-invalid`, which names every problem. */
export function resolveEphemeralOptions(given: EphemeralOptions | undefined): ResolvedEphemeralOptions {
  return resolveOptions<ResolvedEphemeralOptions>(
    {
      takeover: checked(readTakeover, never),
      sequential: flag(false),
      // The servers say what is wrong with it.
      acl: checked<readonly Acl[] | undefined>(readAcl, undefined),
      parents: flag(true),
    },
    given,
    'ephemeral',
  )
}

const never = (): boolean => false
const always = (): boolean => true

function readTakeover(value: unknown, path: string): (node: Node) => boolean {
  if (value === undefined || value === false) return never
  if (value === true) return always
  if (typeof value === 'function') return (node) => value(node) === true
  throw new ZookeeperError('config-invalid', `${path}: expected true, false or a function of a node`)
}

function readAcl(value: unknown, path: string): readonly Acl[] | undefined {
  if (value === undefined || Array.isArray(value)) return value
  throw new ZookeeperError('config-invalid', `${path}: expected a list of ACLs`)
}
