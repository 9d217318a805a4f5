import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOf } from './cluster.ts'

/** Stands where dead servers stood, hangs up on whoever calls, and says how often each was called in `forMs`. */
export async function countDials(endpoints: readonly string[], forMs: number): Promise<readonly number[]> {
  const calls = endpoints.map(() => 0)
  const servers: Server[] = []
  try {
    for (const [i, endpoint] of endpoints.entries()) {
      servers.push(
        await listenAt(endpoint, () => {
          calls[i] = (calls[i] ?? 0) + 1
        }),
      )
    }
    await sleep(forMs)
  } finally {
    for (const server of servers) server.close()
  }
  return calls
}

async function listenAt(endpoint: string, onCall: () => void): Promise<Server> {
  const server = createServer((socket) => {
    onCall()
    // Its errors concern nobody: it was hung up on.
    socket.on('error', () => undefined)
    socket.destroy()
  })
  server.listen(addressOf(endpoint))
  await once(server, 'listening')
  return server
}
