import type { LinkHealth } from '@ha/core'
import type { Assembly } from './assembly.ts'
import type { ResolvedOptions } from './options.ts'
import { sessionName } from './session/session-name.ts'
import type { ZookeeperState } from './state.ts'

/** What a client believes and does, as plain data: the same that the admin page shows. */
export interface ZookeeperHealth {
  readonly state: ZookeeperState
  readonly session:
    | {
        /** As the servers write it, such as `0x100a2b3c4d50000`. */
        readonly id: string
        /** 1 for the first session of the client, one more for each after it. */
        readonly epoch: number
        readonly askedMs: number
        readonly timeoutMs: number
        /** For how long it is certain from now on. */
        readonly certainForMs: number
      }
    | undefined
  readonly connection: LinkHealth
  /** How many nodes are watched, each kind counted for itself. */
  readonly watches: number
  /** Operations under way, or waiting for a connection. */
  readonly operations: number
}

export function zookeeperHealth(assembly: Assembly, { sessionTimeoutMs }: ResolvedOptions): ZookeeperHealth {
  const { telling, sessions, link, watches, asking, ground } = assembly
  const { current } = sessions
  return {
    state: telling.state,
    session: current && {
      id: sessionName(current.id),
      epoch: current.epoch,
      askedMs: sessionTimeoutMs,
      timeoutMs: current.timeoutMs,
      certainForMs: Math.max(0, current.certainUntilMs - ground.clock.now()),
    },
    connection: link.health(),
    watches: watches.size,
    operations: asking.underWay,
  }
}
