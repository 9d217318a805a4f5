/** Where the parts of the system register: as `/mqtt/gateways/gw1`. */
export const registry = { basePath: '/mqtt' } as const

/** The services in the registry. */
export const services = { gateways: 'gateways', routers: 'routers' } as const

/** The node below which each connected user has one that names his gateway. */
export const presenceRoot = '/presence'

export function presenceOf(user: string): string {
  return `${presenceRoot}/${wordOf(user)}`
}

/** The topic that a user subscribes to. */
export function inboxOf(user: string): string {
  return `inbox/${wordOf(user)}`
}

/** The topic on which a user says that he has a message: the only proof of it, for a broker's PUBACK is none. */
export function receiptOf(user: string, messageId: string): string {
  return `receipts/${wordOf(user)}/${wordOf(messageId)}`
}

/** Every receipt. */
export const allReceipts = 'receipts/#'

// One word of a topic or a path, whatever is in it; `.` and `..` are none for ZooKeeper.
function wordOf(text: string): string {
  return encodeURIComponent(text).replaceAll('.', '%2E')
}
