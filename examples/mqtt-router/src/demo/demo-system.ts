import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startLab } from '@ha/bootstrap'
import { createZookeeper, type ServiceView } from '@ha/zookeeper'
import { registry, services } from '../names.ts'
import { countDeliveries, type DeliveryCounts } from './delivery-counts.ts'
import { DemoUsers } from './demo-users.ts'
import { waitUntil } from './wait-until.ts'

/** The whole system on one machine. */
export interface DemoSystem {
  /** The registered gateways. */
  readonly gateways: ServiceView
  readonly users: DemoUsers
  /** The number of waiting messages, by user. */
  mailboxes(): Promise<Readonly<Record<string, number>>>
  counts(): Promise<DeliveryCounts>
}

const gatewayIds = ['gw1', 'gw2', 'gw3']

// The time for three Java servers and five Node.js processes to start on a busy machine.
const upMs = 30_000

/** Starts an ensemble, three gateways, a router, users and senders, runs the scenario, and stops all of them. */
export async function runDemo(
  signal: AbortSignal,
  scenario: (system: DemoSystem) => Promise<void>,
): Promise<void> {
  await using lab = await startLab(
    { kind: 'zookeeper', detectMs: 1_000 },
    { name: `mqtt-router-${process.pid}`, signal },
  )
  await using folder = await temporaryFolder()
  await using _programs = startPrograms(lab.url, folder.path)
  await using zookeeper = createZookeeper(lab.url)
  const discovery = zookeeper.discovery(registry)
  const gateways = discovery.service(services.gateways)
  const routers = discovery.service(services.routers)
  const limit = { timeoutMs: upMs, signal }
  await waitUntil('the gateways are up', () => gateways.all().length === gatewayIds.length, limit)
  await waitUntil('the router is up', () => routers.all().length > 0, limit)
  await using users = new DemoUsers(gateways.all(), routers)
  const { senders, devices } = users
  await scenario({
    gateways,
    users,
    mailboxes: () => waitingByUser(routers),
    counts: async () => countDeliveries({ senders, devices, mailboxes: await waitingByUser(routers) }),
  })
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mqtt-router-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

function startPrograms(connect: string, folder: string): AsyncDisposable {
  const common = { ZOOKEEPER_CONNECT: connect, PORT: '0' }
  const programs = [
    ...gatewayIds.map(
      (id) => new ChildProgram('gateway/supervisor-process.js', { ...common, GATEWAY_ID: id }),
    ),
    new ChildProgram('router/router-process.js', { ...common, MAILBOX_FILE: join(folder, 'mailbox.jsonl') }),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(programs.map((program) => program.close()))
    },
  }
}

/** The number of waiting messages, by user, as reported by a router. */
async function waitingByUser(routers: ServiceView): Promise<Readonly<Record<string, number>>> {
  const router = routers.pick()
  if (router === undefined) throw new Error('no router is registered')
  const response = await fetch(`http://${router.address}:${router.port}/mailboxes`)
  return (await response.json()) as Record<string, number>
}

// Twice the time that a ZooKeeper client needs to end its session, and some more: a supervisor stops first, then its
// gateway.
const stopTimeoutMs = 8_000

/** A process of the system. It writes to the output of this process. */
class ChildProgram {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  /** Starts a script; `script` is relative to the folder `dist`. */
  constructor(script: string, environment: Readonly<Record<string, string>>) {
    const path = fileURLToPath(new URL(`../${script}`, import.meta.url))
    this.#child = fork(path, { env: { ...process.env, ...environment } })
    this.#exited = once(this.#child, 'exit')
  }

  async close(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs)
    await this.#exited
    clearTimeout(timer)
  }
}
