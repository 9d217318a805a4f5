// What the fault proxy costs with no fault set. Not a test: timings depend on the machine. Build first, then run
//   node packages/core/test/testing/proxy/overhead.mjs
// The server is a process of its own. The proxy runs once in the client's process, as in a test, and once alone.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { faultProxy } from '../../dist/proxy/index.js'

const pings = 4000
const rounds = 5
const offeredBytesPerSecond = 50_000_000
const streamMs = 2000
const bulkBytes = 1_000_000_000

const roles = { server: runServer, proxy: runProxy }
const role = roles[process.argv[2]] ?? measure
await role()

/** Echoes what begins with `e`; counts what begins with `s` and answers with the count at its end. */
async function runServer() {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (first) => {
      if (first[0] === 0x65) socket.write(first)
      let count = first.length
      socket.on('data', (chunk) => {
        count += chunk.length
        if (first[0] === 0x65) socket.write(chunk)
      })
      socket.on('end', () => socket.end(first[0] === 0x65 ? '' : String(count)))
    })
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.once('message', () => process.exit())
}

async function runProxy() {
  const proxy = await faultProxy({ to: { host: '127.0.0.1', port: Number(process.argv[3]) } })
  process.send(proxy.endpoint.port)
  process.once('message', () => process.exit())
}

async function measure() {
  const server = fork(import.meta.filename, ['server'])
  const [direct] = await once(server, 'message')
  const alone = fork(import.meta.filename, ['proxy', String(direct)])
  const [ownProcess] = await once(alone, 'message')
  const proxy = await faultProxy({ to: { host: '127.0.0.1', port: direct } })
  const paths = { direct, 'proxy, own process': ownProcess, 'proxy, this process': proxy.endpoint.port }

  await table('round trip of 64 bytes, microseconds (median, 99 %)', paths, roundTrips)
  await table(
    `offered ${offeredBytesPerSecond / 1e6} MB/s: carried MB/s, CPU of this process %`,
    paths,
    paced,
  )
  await table(`${bulkBytes / 1e6} MB as fast as it goes: MB/s`, paths, bulk)

  await proxy.close()
  server.send('end')
  alone.send('end')
}

/** Rounds are interleaved, so that whatever else the machine does falls on every path alike. */
async function table(title, paths, probe) {
  const results = new Map(Object.keys(paths).map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, port] of Object.entries(paths)) results.get(name).push(await probe(port))
  }
  process.stdout.write(`${title}\n`)
  for (const [name, runs] of results) {
    const columns = runs[0].map((_, column) => median(runs.map((run) => run[column])).toFixed(1))
    process.stdout.write(`  ${name.padEnd(22)}${columns.join('  ')}\n`)
  }
}

async function roundTrips(port) {
  const socket = await dial(port)
  const ping = Buffer.alloc(64, 'e')
  const tookUs = []
  for (let n = 0; n < pings; n++) {
    const before = performance.now()
    socket.write(ping)
    await once(socket, 'data')
    tookUs.push((performance.now() - before) * 1000)
  }
  socket.destroy()
  tookUs.sort((a, b) => a - b)
  return [tookUs[pings >> 1], tookUs[Math.floor(pings * 0.99)]]
}

async function paced(port) {
  const socket = await dial(port)
  const chunk = Buffer.alloc(50_000, 's')
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  let sent = 0
  while (performance.now() - startMs < streamMs) {
    const dueBytes = ((performance.now() - startMs) / 1000) * offeredBytesPerSecond
    while (sent < dueBytes) {
      sent += chunk.length
      if (!socket.write(chunk)) await once(socket, 'drain')
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const tookMs = await finish(socket, startMs, sent)
  const { user, system } = process.cpuUsage(cpu)
  return [sent / tookMs / 1000, (user + system) / 10 / tookMs]
}

async function bulk(port) {
  const socket = await dial(port)
  const chunk = Buffer.alloc(262_144, 's')
  const startMs = performance.now()
  let sent = 0
  while (sent < bulkBytes) {
    sent += chunk.length
    if (!socket.write(chunk)) await once(socket, 'drain')
  }
  return [sent / (await finish(socket, startMs, sent)) / 1000]
}

/** Resolves with the time it took until the server had everything. */
async function finish(socket, startMs, sent) {
  socket.end()
  const [answer] = await once(socket, 'data')
  if (Number(String(answer)) !== sent) throw new Error(`sent ${sent}, arrived ${answer}`)
  return performance.now() - startMs
}

async function dial(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]
}
