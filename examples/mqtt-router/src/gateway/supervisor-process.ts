// Starts one gateway and registers it while it is healthy. A gateway that hangs is withdrawn, but its process keeps
// running, so that it can be inspected; it is registered again when it has recovered.
//   ZOOKEEPER_CONNECT=zk1:2181,zk2:2181,zk3:2181 GATEWAY_ID=gw1 PORT=1883 ADDRESS=10.0.0.7 node dist/gateway/supervisor-process.js
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createZookeeper, type RegisterOptions } from '@ha/zookeeper'
import { address, ensemble, gatewayId } from '../environment.ts'
import { registry, services } from '../names.ts'
import { shutdownSignal } from '../shutdown-signal.ts'
import { healthCheck } from './health-check.ts'

const gateway = fork(fileURLToPath(new URL('gateway-process.js', import.meta.url)))
const exited = once(gateway, 'exit')
const [port] = (await once(gateway, 'message')) as [number]

const limits = { maxLatencyMs: 300, maxErrors: 3, window: 8 }
const options: RegisterOptions = {
  // Withdrawn after three failed checks, within two seconds; registered again after two seconds without a failure.
  health: {
    check: healthCheck(`mqtt://${address}:${port}`, limits),
    intervalMs: 500,
    failures: 3,
    successes: 2,
    minDwellMs: 2_000,
  },
  // The id names this gateway: a remaining node with this id belongs to an earlier process.
  takeover: true,
}

const zookeeper = createZookeeper(ensemble)
const registration = zookeeper
  .discovery(registry)
  .register(
    { name: services.gateways, id: gatewayId, address, port, metadata: { pid: String(gateway.pid) } },
    options,
  )
let reported = ''
registration.events.on('state', (state) => {
  // Each failed check changes the reason; only the first one is printed.
  if (state.kind === reported) return
  reported = state.kind
  const reason = 'reason' in state && state.reason !== undefined ? `: ${state.reason.message}` : ''
  console.log(`${gatewayId}: ${state.kind}${reason}`)
})

// When the gateway exits, this process exits with code 1, and the service manager restarts both.
const gatewayExit = await Promise.race([shutdownSignal(), exited])
if (gatewayExit !== undefined) process.exitCode = 1
await zookeeper.close()
gateway.kill('SIGCONT')
gateway.kill('SIGTERM')
await exited
