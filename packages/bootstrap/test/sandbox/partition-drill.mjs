// What partition.int.ts runs in a sandbox: cuts servers of an ensemble off and prints what was seen as one line of JSON.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { startLab } from '@ha/bootstrap'

const patienceMs = 20_000
const lab = await startLab({ kind: 'zookeeper', detectMs: 1000 })
const seen = { url: lab.url }

const old = await lab.leader()
const cut = await lab.partition(old, { forMs: 60_000 })
// What is seen is what was seen when it came to that: while they elect, the next look may find something else.
await until(async () => {
  seen.leaders = [old, await lab.leader()]
  return ![old, undefined].includes(seen.leaders[1])
})
await until(async () => {
  seen.cutLeader = await viewOf(old)
  return seen.cutLeader.because === 'it has no leader'
})
await cut.heal()
await lab.ready()

const far = 'zk1'
await lab.partition(far, { from: 'clients', forMs: 3_000 })
seen.withoutClients = { agreed: (await lab.status()).agreed, reached: await isReached(far) }
await until(async () =>
  lab.events().some(({ type, because }) => type === 'fault-healed' && because === 'deadline'),
)
seen.healed = { agreed: (await lab.status()).agreed, reached: await isReached(far) }

await lab.partition('zk2', { from: 'all', forMs: 60_000 })
seen.refusedKill = await lab.kill('zk2').catch(({ message }) => message)
await lab.restart('zk2')
await lab.ready()
process.stdout.write(`${JSON.stringify(seen)}\n`)
// The lab is left running: the end of the sandbox ends it.

async function viewOf(name) {
  return (await lab.status()).nodes.find((node) => node.name === name).view
}

// True, an error code, or `silence` when nothing comes back for a second.
async function isReached(name) {
  const { endpoint } = lab.nodes.find((node) => node.name === name)
  const socket = connect(endpoint)
  try {
    return await Promise.race([
      once(socket, 'connect').then(
        () => true,
        ({ code }) => code,
      ),
      setTimeout(1_000, 'silence'),
    ])
  } finally {
    socket.destroy()
  }
}

async function until(isTrue) {
  const giveUpAt = Date.now() + patienceMs
  while (!(await isTrue())) {
    if (Date.now() > giveUpAt) throw new Error(`still not: ${isTrue}`)
    await setTimeout(100)
  }
}
