import { readFileSync } from 'node:fs'
import type { Lab } from '@ha/bootstrap'
import { driverContract } from '@ha/core/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { AmqpConnection } from '../../src/driver/connection.ts'
import { amqpDriver } from '../../src/driver/driver.ts'
import { openConnections, startRealLab } from './lab.ts'

// The same suite as in ../amqp/driver.contract.ts, on a real server.
describe('the AMQP driver on RabbitMQ', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await startRealLab('driver', { nodes: 1 })
  })
  afterAll(() => lab.down())

  driverContract<AmqpConnection>(
    it,
    async () => {
      const [node] = lab.nodes
      if (node === undefined) throw new Error('a lab of one node has one')
      const driver = amqpDriver({
        username: 'guest',
        password: 'guest',
        vhost: '/',
        heartbeatSec: 8,
        tls: undefined,
        connectionName: 'contract',
      })
      let isBroken = false
      return {
        driver,
        endpoint: node.endpoint,
        freeze: async () => {
          isBroken = true
          await lab.pause(node.name)
        },
        kill: async () => {
          isBroken = true
          await lab.kill(node.name)
        },
        connections: async () => openConnections(readFileSync('/proc/net/tcp', 'utf8'), node.endpoint.port),
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        dispose: async () => {
          if (!isBroken) return
          await lab.resume(node.name)
          await lab.ready()
        },
      }
    },
    { answerMs: 2_000 },
  )
})
