import type { Instance } from '@ha/zookeeper'

/**
 * The registered gateway that the user is connected to. Undefined when the user is not connected, or that gateway is not
 * in service: the message is then stored in the mailbox.
 */
export function routeTo(gatewayId: string | undefined, gateways: readonly Instance[]): Instance | undefined {
  return gateways.find(({ id, status }) => id === gatewayId && status === 'up')
}
