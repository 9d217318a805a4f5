import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '@ha/core'
import { createRabbit } from '@ha/rabbit'
import { markdownTable } from '../harness/report.ts'

const cycles = 100

/** A hundred dials of a peer that accepts every connection and stays silent: what is left open, and what is kept. */
export async function silentPeerDrill(): Promise<boolean> {
  const peer = await silentPeer()
  const address = `127.0.0.1:${(peer.address() as AddressInfo).port}`
  // As many before the count: what is made once (compiled code, caches) is not to be taken for a leak.
  await dials(address)
  const before = await footprint()
  const startedAt = performance.now()
  await dials(address)
  const elapsedMs = performance.now() - startedAt
  const after = await footprint()
  peer.close()
  const rows = [
    ['open sockets and timers', String(before.handles), String(after.handles)],
    ['heap', mib(before.heapBytes), mib(after.heapBytes)],
  ]
  console.log(markdownTable(['', 'before', `after ${cycles} cycles`], rows))
  console.log(`Each cycle ended after ${Math.round(elapsedMs / cycles)} ms; a dial was allowed 100 ms.`)
  return after.handles <= before.handles && after.heapBytes < before.heapBytes * 1.05
}

async function silentPeer(): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    // Read and thrown away: otherwise its own end of a dead connection would stay here for ever.
    socket.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

// Clients whose only node is silent: each fails to publish, and is closed.
async function dials(address: string): Promise<void> {
  for (let cycle = 0; cycle < cycles; cycle++) {
    const rabbit = createRabbit({ addresses: address, dial: { attemptMs: 100 } })
    const pending = rabbit.publisher({ key: 'nowhere' }).publish({}, { timeoutMs: 110 })
    await pending.catch(() => undefined)
    await rabbit.close({ timeoutMs: 100 })
  }
}

interface Footprint {
  readonly handles: number
  readonly heapBytes: number
}

async function footprint(): Promise<Footprint> {
  await systemClock.sleep(200)
  collectGarbage()
  collectGarbage()
  const handles = process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind))
  return { handles: handles.length, heapBytes: process.memoryUsage().heapUsed }
}

// A heap that is not collected says nothing; only a context that is made after the flag has this function.
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)} MiB`
}
