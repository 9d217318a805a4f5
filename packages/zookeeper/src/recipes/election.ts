import type { Ground } from '../ground.ts'
import { resolveCall, resolveSignal } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { Campaign } from './campaign.ts'
import { observeLeader, type Participant, readLeader } from './leader.ts'
import type { Lease } from './lease.ts'
import { kindOfRank, ranked } from './turn.ts'

export interface ElectionOptions {
  /** The name that the others see. */
  readonly id: string
  /**
   * Of those who wait, the one with the highest goes first, whoever came earlier; who leads is not pushed aside. A
   * whole number from 0 to 999, default 0.
   */
  readonly priority?: number | undefined
}

export interface CampaignOptions {
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
}

/** One participant of an election, which may also just look on. */
export interface Election {
  readonly path: string
  readonly id: string
  /**
   * Stands for election, runs `fn` while elected, steps down when it returns, and stands again, until the signal,
   * however long the servers cannot be reached or refuse us; when the signal fires during `fn`, it waits for its end, so
   * give `fn` the same signal. Rejects with what `fn` threw while it was elected.
   * What it throws when its lease is over is no end of the campaign: it is told as a listener that failed.
   */
  run(fn: (lease: Lease) => Promise<void>, options?: CampaignOptions): Promise<void>
  /** True while nobody else can be elected, by our own clock. */
  isLeader(): boolean
  /** What keeps this participant from standing, such as servers that refuse it; undefined when nothing does. */
  trouble(): Error | undefined
  /** Who is first in line, as the ensemble's own leader knows it. */
  leader(options?: CallOptions): Promise<Participant | undefined>
  /**
   * Who is first in line, now and after each change; a slow reader misses what was in between, never what is so now.
   * Ends with the signal, and with the client.
   */
  observe(options?: CampaignOptions): AsyncIterable<Participant | undefined>
}

/** An election on the node `path`: those who stand for it are in line below it. */
export function election(ground: Ground, path: string, { id, priority = 0 }: ElectionOptions): Election {
  checkPath(path, 'election')
  check(path, typeof id === 'string' && id !== '', 'id: expected a name')
  const fits = Number.isInteger(priority) && priority >= 0 && priority <= mostPriority
  check(path, fits, `priority: expected a whole number from 0 to ${mostPriority}`)
  const what = `the lead of ${path}`
  const line = { folder: path, kind: kindOfRank(priority), data: id, rule: ranked, what }
  const campaign = new Campaign(ground, line)
  return {
    path,
    id,
    run: async (fn, options) => campaign.run(fn, resolveSignal('run', options)),
    isLeader: () => campaign.leads,
    trouble: () => campaign.trouble,
    leader: async (options) =>
      readLeader(ground, path, resolveCall('leader', options, ground.operationTimeoutMs)),
    observe: (options) => observeLeader(ground, path, resolveSignal('observe', options)),
  }
}

const mostPriority = 999

function check(path: string, fits: boolean, problem: string): void {
  if (!fits) throw new ZookeeperError('config-invalid', `election ${path}: ${problem}`, { path })
}
