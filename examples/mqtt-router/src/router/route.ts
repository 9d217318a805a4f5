import type { Instance } from '@ha/zookeeper'

/**
 * The gateway through which a user can be reached, of those that are alive and well; undefined when the one that he is
 * connected to is none of them, or there is none: then his messages go to his mailbox.
 */
export function routeTo(gatewayId: string | undefined, live: readonly Instance[]): Instance | undefined {
  return live.find(({ id, status }) => id === gatewayId && status === 'up')
}
