import { driverContract } from '@ha/core/testing'
import { startFakeServer } from '@ha/testing/mariadb'
import { describe, it } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { mariadbDriver } from '../../src/driver/driver.ts'
import { driverOptions } from './driver-options.ts'

describe('the MariaDB driver', () => {
  driverContract<MariadbConnection>(
    it,
    async () => {
      const server = await startFakeServer()
      const node = server.node(1)
      return {
        driver: mariadbDriver(driverOptions(node.endpoint)),
        endpoint: node.endpoint,
        freeze: async () => node.pause(),
        kill: () => node.kill(),
        connections: async () => server.connections,
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        dispose: () => server.close(),
      }
    },
    { answerMs: 200 },
  )
})
