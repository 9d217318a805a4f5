import type { Duplex } from 'node:stream'
import { systemClock } from '@ha/core'
import { connectSocket } from '@ha/core/driver'
import { driverContract } from '@ha/core/testing'
import { startFakeEnsemble } from '@ha/testing/zookeeper'
import { describe, it } from 'vitest'
import type { ZookeeperConnection } from '../../src/connection/connection.ts'
import { zookeeperDriver } from '../../src/connection/driver.ts'
import { newSession } from './open-connection.ts'

describe('the ZooKeeper driver', () => {
  driverContract<ZookeeperConnection>(
    it,
    async () => {
      const ensemble = await startFakeEnsemble({ nodes: 1, tickTimeMs: 1_000 })
      const node = ensemble.node(1)
      // Counted here: a frozen server does not notice that the client has closed the connection.
      const sockets: Duplex[] = []
      return {
        driver: zookeeperDriver({
          clock: systemClock,
          sessions: {
            connectRequest: () => newSession,
            sessionGranted: () => undefined,
            sessionExpired: () => undefined,
          },
          dial: async (endpoint, signal) => {
            const socket = await connectSocket(endpoint, undefined, signal)
            sockets.push(socket)
            return socket
          },
        }),
        endpoint: node.endpoint,
        freeze: async () => node.freeze(),
        kill: async () => node.kill(),
        connections: async () => sockets.filter((socket) => !socket.destroyed).length,
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        dispose: () => ensemble.close(),
      }
    },
    { answerMs: 200 },
  )
})
