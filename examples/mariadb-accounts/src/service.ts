// Transfers money between accounts. Start it, stop a database server, and follow the output.
//   MARIADB_URL='jdbc:mariadb:sequential://db1,db2,db3/shop?user=app&password=secret' node dist/service.js
import { createMariadb, MariadbError } from '@ha/mariadb'
import { Accounts } from './accounts.ts'

const url = process.env['MARIADB_URL'] ?? 'jdbc:mariadb://localhost/test'
// The commit log resolves a COMMIT whose answer was lost.
const db = createMariadb(url, { name: 'accounts', consistency: 'session', commitLog: { create: true } })
const accounts = new Accounts(db)

db.events.on('failover', ({ from, to, error }) => {
  console.log(`writes go to ${to}: ${from} ${error?.message ?? 'is not eligible'}`)
})
db.events.on('failback', ({ from, to }) => console.log(`writes go back from ${from} to ${to}`))
db.events.on('outcomeResolved', ({ token, fate }) => console.log(`the commit of ${token}: ${fate}`))
db.events.on('warning', ({ text }) => console.log(`warning: ${text}`))

const done = { moved: 0, unknown: 0, notDone: 0 }
let transferNumber = 0

async function move(): Promise<void> {
  transferNumber += 1
  const sender = transferNumber % 10
  try {
    await accounts.transfer(transferNumber, sender, (sender + 1 + (transferNumber % 9)) % 10, 1)
    done.moved += 1
  } catch (error) {
    if (!(error instanceof MariadbError)) throw error
    // `not-done`: nothing happened; the transfer can be repeated. `unknown`: call `db.resolve(error.token)` when a server is available again.
    done[error.outcome === 'unknown' ? 'unknown' : 'notDone'] += 1
    console.log(`transfer ${transferNumber}: ${error.outcome} (${error.code})`)
  }
}

process.once('SIGTERM', () => void shutDown())
process.once('SIGINT', () => void shutDown())

async function shutDown(): Promise<void> {
  clearInterval(timer)
  await Promise.allSettled(running)
  console.log(JSON.stringify({ ...done, ...(await accounts.totals()) }))
  await db.close()
}

await db.ready()
await accounts.open(10)
const running = new Set<Promise<void>>()
const timer = setInterval(() => {
  const moving = move().finally(() => running.delete(moving))
  running.add(moving)
}, 20)
console.log('ready')
