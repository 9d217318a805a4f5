// Starts one gateway and registers it for as long as it is well. A gateway that hangs is withdrawn, and left as it is:
// its process is there to be looked at, and comes back by itself when it is well again.
//   ZOOKEEPER_CONNECT=zk1:2181,zk2:2181,zk3:2181 GATEWAY_ID=gw1 PORT=1883 ADDRESS=10.0.0.7 node dist/gateway/supervisor-process.js
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createZookeeper, type RegisterOptions } from '@ha/zookeeper'
import { address, ensemble, gatewayId } from '../environment.ts'
import { registry, services } from '../names.ts'
import { toldToEnd } from '../told-to-end.ts'
import { healthCheck } from './health-check.ts'

const gateway = fork(fileURLToPath(new URL('gateway-process.js', import.meta.url)))
const exited = once(gateway, 'exit')
const [port] = (await once(gateway, 'message')) as [number]

const limits = { maxLatencyMs: 300, maxErrors: 3, window: 8 }
const options: RegisterOptions = {
  // Withdrawn within two seconds, after three looks that failed; back after two seconds without a single one.
  health: {
    check: healthCheck(`mqtt://${address}:${port}`, limits),
    intervalMs: 500,
    failures: 3,
    successes: 2,
    minDwellMs: 2_000,
  },
  // A node with this id that is still there is of our own earlier life.
  takeover: true,
}

const zookeeper = createZookeeper(ensemble)
const registration = zookeeper
  .discovery(registry)
  .register(
    { name: services.gateways, id: gatewayId, address, port, metadata: { pid: String(gateway.pid) } },
    options,
  )
let told = ''
registration.events.on('state', (state) => {
  // Each look that fails is a reason of its own; the first of them is enough.
  if (state.kind === told) return
  told = state.kind
  const reason = 'reason' in state && state.reason !== undefined ? `: ${state.reason.message}` : ''
  console.log(`${gatewayId}: ${state.kind}${reason}`)
})

// Whoever looks after this process starts both anew.
const over = await Promise.race([toldToEnd(), exited])
if (over !== undefined) process.exitCode = 1
await zookeeper.close()
gateway.kill('SIGCONT')
gateway.kill('SIGTERM')
await exited
