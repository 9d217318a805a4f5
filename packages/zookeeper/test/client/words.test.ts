import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import type { CreateOptions } from '../../src/operations/operations.ts'
import type { Change } from '../../src/protocol/multi.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const create = (kind: unknown) => (zk: Zookeeper) => zk.create('/a', '', { kind } as CreateOptions)
const multi = (change: object) => (zk: Zookeeper) => zk.multi([change as Change])

/** Calls that only compile without types. */
const wrong: readonly (readonly [string, (zk: Zookeeper) => Promise<unknown>, string])[] = [
  [
    'a kind of node with a space',
    create('ephemeral '),
    'create.kind: expected persistent, ephemeral, container, got "ephemeral "; did you mean \'ephemeral\'?',
  ],
  [
    'a kind of node that is no text',
    create(1),
    'create.kind: expected persistent, ephemeral, container, got 1',
  ],
  [
    'a kind of change',
    multi({ kind: 'del', path: '/a' }),
    'multi[0].kind: expected create, set, delete, check',
  ],
  [
    'a check without a version',
    multi({ kind: 'check', path: '/a' }),
    'multi[0].version: expected a whole number',
  ],
]

it.each(wrong)('%s is refused before anything is sent', async (_, act, message) => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await settledWithin(clock, 1_000, zk.ready())
  ensemble.log.clear()

  const error = await settledWithin(
    clock,
    1_000,
    act(zk).catch((thrown: unknown) => thrown),
  )

  expect(error).toMatchObject({
    code: 'config-invalid',
    path: '/a',
    message: expect.stringContaining(message),
  })
  const sent = ensemble.log.entries().filter(({ op }) => op === 'create2' || op === 'multi')
  expect(sent).toEqual([])
})

it('a probe with a wrong option rejects, and does not throw', async () => {
  await using harness = await openClientHarness()
  const probing = harness.client().probe({ timeoutMs: 0 })

  await expect(probing).rejects.toMatchObject({ name: 'ZookeeperError', code: 'config-invalid' })
})
