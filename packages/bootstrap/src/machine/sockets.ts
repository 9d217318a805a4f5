import { connect } from 'node:net'

/** Whether something accepts connections on a unix socket, or on a port of 127.0.0.1. */
export function accepts(target: string | number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof target === 'string' ? connect(target) : connect({ host: '127.0.0.1', port: target })
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}
