import { connect } from 'node:net'

// Who is cut off hears nothing, not even a refusal. On one machine everybody else answers at once.
const connectTimeoutMs = 1_000

/** Whether something accepts connections on a unix socket, or on a port of an address, within a second. */
export function acceptsConnections(
  target: string | { readonly host: string; readonly port: number },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof target === 'string' ? connect(target) : connect(target)
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(connectTimeoutMs, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}
