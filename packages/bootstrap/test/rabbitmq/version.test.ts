import { expect, test } from 'vitest'
import {
  hasFeature,
  parseRabbitVersion,
  type RabbitFeature,
  resolveRabbit,
} from '../../src/rabbitmq/model.ts'
import { deployment } from './deployment.ts'

const table: readonly (readonly [string, Readonly<Record<RabbitFeature, boolean>>])[] = [
  ['3.10.8', { loneSeed: true, mirroring: true, patientSeed: true, partitionHandling: true }],
  ['3.12.14', { loneSeed: true, mirroring: true, patientSeed: true, partitionHandling: true }],
  ['3.13.0', { loneSeed: true, mirroring: true, patientSeed: false, partitionHandling: true }],
  ['4.0.5', { loneSeed: false, mirroring: false, patientSeed: false, partitionHandling: true }],
  ['4.2.0', { loneSeed: false, mirroring: false, patientSeed: false, partitionHandling: true }],
  ['4.3.0-rc.1', { loneSeed: false, mirroring: false, patientSeed: false, partitionHandling: false }],
]

test.each(table)('%s has what its line of the table says', (text, features) => {
  const version = parseRabbitVersion(text)
  const found = Object.fromEntries(
    Object.keys(features).map((name) => [name, hasFeature(version, name as RabbitFeature)]),
  )

  expect(found).toEqual(features)
})

test('what is not a version is refused', () => {
  expect(() => parseRabbitVersion('latest')).toThrow("'latest' is not a RabbitMQ version")
})

test.each(['', 'x'.repeat(256)])('a virtual host without a usable name is refused', (vhost) => {
  expect(() => resolveRabbit({ kind: 'rabbitmq', vhosts: ['shop', vhost] }, deployment)).toThrow(
    'vhosts[1]: expected a name of 1 to 255 bytes',
  )
})
