import type { Declaration } from '@ha/core'
import { deferred, raceAbort } from '@ha/core/driver'
import type { ZookeeperConnection } from './connection/connection.ts'
import { type ClientContext, refusalDelay, retryUntilAborted } from './context.ts'
import { ZookeeperError } from './errors.ts'
import type { Acl } from './node.ts'
import { aclFor } from './operations/acl.ts'
import { CallDeadline } from './operations/call-options.ts'
import { parentOf } from './operations/paths.ts'
import type { RequestExecutor } from './operations/request-executor.ts'
import type { ResolvedOptions } from './options.ts'
import { ReplyError } from './protocol/error-codes.ts'
import { create, exists, type Request } from './protocol/requests.ts'

/** Creates the chroot before everything else, and again when it is deleted while the client runs. */
export function ensureChroot(
  context: ClientContext,
  executor: RequestExecutor,
  { parentAclOf, operationTimeoutMs }: Pick<ResolvedOptions, 'parentAclOf' | 'operationTimeoutMs'>,
): void {
  const { link, signal, clock } = context
  const acl = (): readonly Acl[] => aclFor('/', undefined, parentAclOf)
  const recreate = async (): Promise<void> =>
    recreateChroot(
      executor,
      acl(),
      new CallDeadline({ timeoutMs: operationTimeoutMs, signal }, () => clock.now()),
    )
  let isKept = false
  const onEnsured = (): void => {
    if (isKept) return
    isKept = true
    // Without the permission to look at the chroot, the next create finds that it is missing.
    keepChroot(context, recreate).catch(() => undefined)
  }
  link.desiredState.declare(chrootDeclaration(executor.chroot.root, acl, onEnsured))
}

/** Creates the chroot of a connected client. */
export function recreateChroot(
  executor: RequestExecutor,
  acl: readonly Acl[],
  deadline: CallDeadline,
): Promise<void> {
  const send = <T>(request: Request<T>): Promise<T> =>
    executor.execute(request, {
      name: request.name,
      path: '/',
      call: deadline.remaining,
      effect: 'idempotent',
    })
  return createChroot(send, executor.chroot.root, acl)
}

const noNode = -101
const noAuth = -102

// Another client created the node first, or this ancestor of the chroot existed already.
const nodeExists = -110

/** Sends a request whose path is one of the servers, and rejects with a `ReplyError` or a `ZookeeperError`. */
type Send = <T>(request: Request<T>) => Promise<T>

/**
 * Creates the chroot and its missing ancestors, from the bottom up: a folder that exists need not allow the client to read
 * it or to create anything beside it.
 */
async function createChroot(send: Send, path: string, acl: readonly Acl[]): Promise<void> {
  const node = { path, data: '', kind: 'persistent', sequential: false, ttlMs: undefined } as const
  for (;;) {
    try {
      await send(create({ ...node, acl }))
      return
    } catch (error) {
      const code = replyCodeOf(error)
      if (code === nodeExists || (code === noAuth && (await isThere(send, path)))) return
      if (code !== noNode || parentOf(path) === '/') throw error
    }
    await createChroot(send, parentOf(path), acl)
  }
}

// Newer servers refuse to say whether a node exists that may not be read, and only then: it exists.
async function isThere(send: Send, path: string): Promise<boolean> {
  try {
    await send(exists(path, false))
    return true
  } catch (error) {
    const code = replyCodeOf(error)
    if (code !== noNode && code !== noAuth) throw error
    return code === noAuth
  }
}

function replyCodeOf(error: unknown): number | string | undefined {
  if (error instanceof ReplyError) return error.code
  return error instanceof ZookeeperError ? error.serverCode : undefined
}

const timeoutMs = 10_000

/** Creates the chroot before any other request; an existing one is not written to. */
function chrootDeclaration(
  chroot: string,
  acl: () => readonly Acl[],
  onEnsured: () => void,
): Declaration<ZookeeperConnection> {
  return {
    key: `chroot ${chroot}`,
    needs: [],
    gates: true,
    survives: true,
    timeoutMs,
    apply: async (connection, signal) => {
      const send: Send = (request) => {
        signal.throwIfAborted()
        return connection.send(request)
      }
      if (!(await isThere(send, chroot))) await createChroot(send, chroot, acl())
      onEnsured()
    },
  }
}

// A person who deletes a tree has the time to finish: a chroot that came back at once would be in the way.
const recreateAfterMs = 1_000

/**
 * Creates the chroot again, a second after it was deleted, until the client is closed. Without the permission to read it
 * the client cannot watch it: then the next create does it.
 */
async function keepChroot(context: ClientContext, recreate: () => Promise<void>): Promise<void> {
  const { signal, watchedReads, clock, random } = context
  for (let failures = 0; !signal.aborted; ) {
    const changed = deferred()
    const watched = await retryUntilAborted(context, signal, (options) =>
      watchedReads.exists('/', () => changed.resolve(), options),
    )
    try {
      if (watched.value !== undefined) {
        failures = 0
        await raceAbort(changed.promise, signal, () => undefined)
        continue
      }
    } finally {
      watched.unwatch()
    }
    await clock.sleep(recreateAfterMs * (1 + random() / 2), signal)
    await recreate().catch((thrown: unknown) => {
      if (failures === 0) context.reportDefect('creating the chroot again', thrown)
      failures += 1
    })
    if (failures > 0) await clock.sleep(refusalDelay(failures - 1, random), signal)
  }
}
