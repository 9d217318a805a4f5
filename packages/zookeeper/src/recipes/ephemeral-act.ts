import { isHaError } from '@ha/core'
import type { Acl } from '../node.ts'
import type { CallOptions, Operations } from '../operations/operations.ts'
import type { Step } from './ephemeral-step.ts'

/** A step that changes something. */
export type Action = Exclude<Step, { readonly kind: 'settled' | 'wait' }>

/** What is done, and where. */
export interface Act {
  readonly step: Action
  /** The node that was seen. */
  readonly path: string
  /** What a create is given. */
  readonly asked: string
  readonly sequential: boolean
  readonly parents: boolean
  readonly acl: readonly Acl[] | undefined
}

// Somebody was faster than we: what is so now has to be looked at again.
const overtaken: Readonly<Record<Action['kind'], readonly string[]>> = {
  make: ['node-exists'],
  write: ['no-node', 'bad-version'],
  replace: ['no-node', 'bad-version', 'node-exists'],
  remove: ['bad-version'],
}

/** Does one step. What came of it is for the next look to say, also when somebody else was faster. */
export async function act(operations: Operations, what: Act, limit: CallOptions): Promise<void> {
  try {
    await attempt(operations, what, limit)
  } catch (thrown) {
    if (!isHaError(thrown) || !overtaken[what.step.kind].includes(thrown.code)) throw thrown
  }
}

async function attempt(operations: Operations, what: Act, limit: CallOptions): Promise<void> {
  const { step, path, asked, sequential, parents, acl } = what
  switch (step.kind) {
    case 'make': {
      // The look that follows finds a node whose creation was not answered: a mark of the client's is not needed.
      const options = { ...limit, kind: 'ephemeral', sequential, parents, acl, protect: false } as const
      await operations.create(asked, step.data, options)
      return
    }
    case 'write':
      await operations.set(path, step.data, { ...limit, version: step.version })
      return
    case 'replace': {
      // A server compares versions, and neither owners nor czxids: what came into the place of the node since the look,
      // and is at the same version, goes with it. No check in the multi can tell; see `takeover`.
      const create = {
        kind: 'create',
        path: asked,
        data: step.data,
        ephemeral: true,
        sequential,
        acl,
      } as const
      await operations.multi([{ kind: 'delete', path, version: step.version }, create], limit)
      return
    }
    case 'remove':
      await operations.delete(path, { ...limit, version: step.version })
  }
}
