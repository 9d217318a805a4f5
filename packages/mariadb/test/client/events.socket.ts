import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { until } from '@ha/core/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createMariadb } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { clientOf, countOf, galeraHarness, rowsOf } from './harness.ts'

/** The messages published on a channel from now on. */
function published(name: string): readonly unknown[] {
  const messages: unknown[] = []
  const listen = (message: unknown): void => void messages.push(message)
  subscribe(name, listen)
  onTestFinished(() => void unsubscribe(name, listen))
  return messages
}

describe('a client', () => {
  it('is idle and dials nobody until it is used, then ready, and closed at the end', async () => {
    const { db, cluster } = await galeraHarness()
    const states = [db.health().state]
    expect(cluster.accepted).toBe(0)
    await db.ready()
    states.push(db.health().state)
    await db.close()
    states.push(db.health().state)
    expect(states).toEqual(['idle', 'ready', 'closed'])
  })

  it('shows what each server says of itself, and no secret', async () => {
    const { db, cluster } = await galeraHarness({}, { users: { root: '' } })
    await db.ready()
    await until('all are up', () => db.health().hosts.every(({ health }) => health === 'up'))
    expect(db.health()).toMatchObject({
      mode: 'sequential',
      writer: cluster.node(1).address,
      hosts: cluster.addresses.map((endpoint) => ({ endpoint, reading: { galera: { status: 'Primary' } } })),
    })
    expect(() => JSON.stringify(db.health())).not.toThrow()
  })

  it('publishes who takes the writes, and calls of which nobody knows the outcome', async () => {
    const writers = published('ha:mariadb:writer')
    const outcomes = published('ha:mariadb:outcome')
    const { db, cluster } = await galeraHarness({ name: 'orders' })
    await db.ready()
    cluster.script({ when: { sql: /^INSERT/, times: 1 }, do: 'cut', how: 'reset' })
    await describeEnd(db.query("INSERT INTO t VALUES ('a', 1)"))
    await until('the others are known', () => db.health().hosts.every(({ health }) => health === 'up'))
    await cluster.node(1).kill()
    await until('another one writes', () => writers.length === 1)
    expect(writers).toMatchObject([{ client: 'orders', to: cluster.node(2).address, back: false }])
    expect(outcomes).toMatchObject([{ client: 'orders', name: 'query', fate: 'unknown' }])
  })

  it('warns once of a server that may lose what it acknowledged', async () => {
    const { db, events } = await galeraHarness({}, { variables: { innodb_flush_log_at_trx_commit: 2 } })
    await db.ready()
    await until('all are known', () => countOf(events, 'warning') === 3)
    await db.query('SELECT 1')
    expect(events.filter(({ name }) => name === 'warning')[0]?.event['text']).toContain(
      'innodb_flush_log_at_trx_commit=2',
    )
    expect(countOf(events, 'warning')).toBe(3)
  })

  it('hurts only the listener that throws', async () => {
    const { db, cluster } = await galeraHarness()
    db.events.on('outcomeUnknown', () => {
      throw new Error('a bad listener')
    })
    cluster.script({ when: { sql: /^INSERT/, times: 1 }, do: 'cut', how: 'reset' })
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    expect(await describeEnd(db.query("INSERT INTO t VALUES ('a', 1)"))).toBe('outcome-unknown unknown 08007')
    expect(warned).toHaveBeenCalledTimes(1)
    warned.mockRestore()
  })

  it('drains: what is under way ends, and nothing new is begun', async () => {
    const { db, cluster } = await galeraHarness()
    const call = db.transaction(async (tx) => {
      await tx.query("INSERT INTO t VALUES ('a', 1)")
      const drained = db.drain({ timeoutMs: 2_000 })
      expect(await describeEnd(db.query('SELECT 1'))).toBe('closed not-done 08003')
      await tx.query("INSERT INTO t VALUES ('b', 2)")
      return { drained }
    })
    expect(await (await call).drained).toEqual({ returned: 1, left: 0 })
    expect(await rowsOf(cluster)).toEqual({ a: 1, b: 2 })
  })
})

describe('the URL of a Java service', () => {
  it('is taken as it is, and what means nothing here is named once', async () => {
    const { cluster } = await galeraHarness({}, { users: { root: '', app: 'p' } })
    const hosts = cluster.addresses.join(',')
    const db = createMariadb(
      `jdbc:mariadb:sequential://${hosts}/test?user=app&password=p&autoReconnect=true&useServerPrepStmts=true`,
    )
    const texts: string[] = []
    db.events.on('warning', ({ text }) => void texts.push(text))
    onTestFinished(async () => void (await db.close()))
    await db.query("INSERT INTO t VALUES ('a', 1)")
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
    expect(texts.join('\n')).toContain('useServerPrepStmts')
    expect(new Set(texts).size).toBe(texts.length)
  })
})

describe('an option that cannot be used', () => {
  it.each([
    [{ timeoutMs: 0 }, 'query.timeoutMs'],
    [{ route: 'master' }, 'query.route'],
    [{ repeatabel: true }, 'repeatable'],
    [{ consistency: 'causal' }, 'query.consistency'],
  ])('rejects the call and names it: %j', async (options, text) => {
    const { db, cluster } = await galeraHarness()
    await expect(db.query('SELECT 1', undefined, options as object)).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(text),
    })
    expect(cluster.log.count({ sql: 'SELECT 1' })).toBe(0)
  })

  it.each([
    [{ isolation: 'serialisable' }, 'transaction.isolation'],
    [{ token: 'two words' }, 'transaction.token'],
  ])('rejects the transaction, and throws nothing at its caller: %j', async (options, text) => {
    const { cluster } = await galeraHarness()
    const { db } = clientOf(cluster)
    await expect(db.transaction(async () => 1, options as object)).rejects.toThrow(text)
  })
})

describe('the event of a failover', () => {
  it('says why the writer before is not used, and nothing of all servers', async () => {
    const { db, cluster, events } = await galeraHarness()
    await db.ready()
    await cluster.node(1).kill()
    await expect.poll(() => countOf(events, 'failover')).toBe(1)
    const error = events.find(({ name }) => name === 'failover')?.event as { error?: Error } | undefined
    expect(error?.error?.message).toMatch(/^not used as the writer: 127\.0\.0\.1:\d+ /)
  })
})
