import { readFileSync } from 'node:fs'
import { type Lab, openLab } from '@ha/bootstrap'
import { driverContract } from '@ha/core/testing'
import { beforeAll, describe, inject, it } from 'vitest'
import type { AmqpConnection } from '../../src/driver/connection.ts'
import { amqpDriver } from '../../src/driver/driver.ts'
import { openConnections } from './open-connections.ts'

// The same suite as in ../amqp/driver.contract.ts, on a real server.
describe('the AMQP driver on RabbitMQ', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = openLab(inject('lab'))
  })

  driverContract<AmqpConnection>(
    it,
    async () => {
      const [node] = lab.nodes
      if (node === undefined) throw new Error('a lab has nodes')
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
