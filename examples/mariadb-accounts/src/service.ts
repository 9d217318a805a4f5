// Moves money between accounts. Start it, kill a database server, and read what it prints.
//   MARIADB_URL='jdbc:mariadb:sequential://db1,db2,db3/shop?user=app&password=secret' node dist/service.js
import { createMariadb, MariadbError } from '@ha/mariadb'
import { Accounts } from './accounts.ts'

const url = process.env['MARIADB_URL'] ?? 'jdbc:mariadb://localhost/test'
// The ledger is what tells a COMMIT whose answer was lost from one that never was.
const db = createMariadb(url, { name: 'accounts', consistency: 'session', ledger: { create: true } })
const accounts = new Accounts(db)

db.events.on('failover', ({ from, to, error }) => {
  console.log(`writes go to ${to}: ${from} ${error?.message ?? 'is not to be used'}`)
})
db.events.on('failback', ({ from, to }) => console.log(`writes go back from ${from} to ${to}`))
db.events.on('outcomeResolved', ({ token, fate }) => console.log(`the commit of ${token}: ${fate}`))
db.events.on('warning', ({ text }) => console.log(`warning: ${text}`))

const done = { moved: 0, unknown: 0, notDone: 0 }
let number = 0

async function move(): Promise<void> {
  number += 1
  const sender = number % 10
  try {
    await accounts.transfer(number, sender, (sender + 1 + (number % 9)) % 10, 1)
    done.moved += 1
  } catch (error) {
    if (!(error instanceof MariadbError)) throw error
    // `not-done`: nothing happened, do it again. `unknown`: ask `db.resolve(error.token)` when the servers are back.
    done[error.outcome === 'unknown' ? 'unknown' : 'notDone'] += 1
    console.log(`transfer ${number}: ${error.outcome} (${error.code})`)
  }
}

process.once('SIGTERM', () => void end())
process.once('SIGINT', () => void end())

async function end(): Promise<void> {
  clearInterval(till)
  await Promise.allSettled(under)
  console.log(JSON.stringify({ ...done, ...(await accounts.sum()) }))
  await db.close()
}

await db.ready()
await accounts.open(10)
const under = new Set<Promise<void>>()
const till = setInterval(() => {
  const moving = move().finally(() => under.delete(moving))
  under.add(moving)
}, 20)
console.log('ready')
