import type { Lab } from '@ha/bootstrap'
import { createMariadb } from '@ha/mariadb'
import { endpointsOf, jdbcUrl, onConnection } from './cluster.ts'
import { breakLine, type Lines, layLines } from './line-breaks.ts'

/** What became of a transaction whose COMMIT had no answer. */
export interface LostCommit {
  readonly endpoint: string
  readonly token: string
  readonly fate: string
  /** How often the callback ran. */
  readonly callbacks: number
  readonly tookMs: number
  /** Whether every node has its row exactly once. */
  readonly isExact: boolean
}

/** Runs one transaction through a line that dies when COMMIT has been sent. */
export async function loseCommit(lab: Lab): Promise<LostCommit> {
  const endpoints = [...endpointsOf(lab).values()]
  await onConnection(endpoints[0] ?? '', (connection) =>
    connection.query('CREATE TABLE paid (n BIGINT AUTO_INCREMENT PRIMARY KEY, invoice INT NOT NULL)'),
  )
  await using lines = await layLines(lab)
  return { ...(await pay(lines)), isExact: await isPaidOnce(endpoints) }
}

async function pay(lines: Lines): Promise<Omit<LostCommit, 'isExact'>> {
  await using mariadb = createMariadb(jdbcUrl('sequential', [...lines.proxies.keys()]), {
    commitLog: { create: true },
  })
  await mariadb.ready()
  let first = { endpoint: '', token: '' }
  let fate = 'committed'
  mariadb.events.on('outcomeResolved', (resolved) => {
    fate = resolved.fate
  })
  let heal: (() => Promise<void>) | undefined
  const sentAt = performance.now()
  const callbacks = await mariadb.transaction(async (transaction) => {
    const { attempt, endpoint, token } = transaction
    await transaction.query('INSERT INTO paid (invoice) VALUES (7)')
    if (attempt === 1) {
      first = { endpoint, token: token ?? '' }
      heal = await breakLine(lines, { point: 'COMMIT arrived', how: 'dead line', endpoint })
    }
    return attempt
  })
  const tookMs = performance.now() - sentAt
  await heal?.()
  return { ...first, fate, callbacks, tookMs }
}

async function isPaidOnce(endpoints: readonly string[]): Promise<boolean> {
  for (const endpoint of endpoints) {
    const rows: readonly unknown[] = await onConnection(endpoint, async (connection) => {
      await connection.query('SET SESSION wsrep_sync_wait = 1')
      return connection.query('SELECT n FROM paid WHERE invoice = 7')
    })
    if (rows.length !== 1) return false
  }
  return true
}
