/** The path below which the parts of the system register, as in `/mqtt/gateways/gw1`. */
export const registry = { basePath: '/mqtt' } as const

/** The services in the registry. */
export const services = { gateways: 'gateways', routers: 'routers' } as const

/** The parent of the presence nodes: one for each connected user, with the id of the user's gateway as its data. */
export const presenceRoot = '/presence'

export function presencePath(user: string): string {
  return `${presenceRoot}/${encodeSegment(user)}`
}

/** The topic that a user subscribes to. */
export function inboxTopic(user: string): string {
  return `inbox/${encodeSegment(user)}`
}

/**
 * The topic on which a user's device confirms a message. Only this confirms delivery: a PUBACK says that the broker has
 * the message in memory.
 */
export function receiptTopic(user: string, messageId: string): string {
  return `receipts/${encodeSegment(user)}/${encodeSegment(messageId)}`
}

/** The topic filter that matches every receipt. */
export const allReceiptsTopic = 'receipts/#'

// Encodes any text as one level of a topic or path. ZooKeeper rejects the node names `.` and `..`.
function encodeSegment(text: string): string {
  return encodeURIComponent(text).replaceAll('.', '%2E')
}
