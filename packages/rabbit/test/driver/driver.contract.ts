import { driverContract } from '@ha/core/testing'
import { startFakeCluster } from '@ha/testing/rabbit'
import { describe, it } from 'vitest'
import type { AmqpConnection } from '../../src/driver/connection.ts'
import { amqpDriver } from '../../src/driver/driver.ts'

describe('the AMQP driver', () => {
  driverContract<AmqpConnection>(
    it,
    async () => {
      const cluster = await startFakeCluster()
      const node = cluster.node(1)
      const driver = amqpDriver({
        username: 'guest',
        password: 'guest',
        vhost: '/',
        heartbeatSec: 8,
        tls: undefined,
        connectionName: 'contract',
      })
      return {
        driver,
        endpoint: { host: '127.0.0.1', port: node.port },
        freeze: async () => node.freeze(),
        kill: () => node.kill(),
        connections: async () => cluster.connections.length,
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        dispose: () => cluster.close(),
      }
    },
    { answerMs: 200 },
  )
})
