import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLab } from '@ha/bootstrap'
import { createZookeeper, type ServiceView } from '@ha/zookeeper'
import { registry, services } from '../names.ts'
import { mailboxesOf } from './mailboxes.ts'
import { People } from './people.ts'
import { Program } from './program.ts'
import { type Tally, tallyOf } from './tally.ts'
import { until } from './until.ts'

/** The whole system on this machine. */
export interface Stage {
  /** The gateways that are alive and well, as ZooKeeper lists them. */
  readonly gateways: ServiceView
  readonly people: People
  /** How many messages wait for whom, by user. */
  mailboxes(): Promise<Readonly<Record<string, number>>>
  tally(): Promise<Tally>
}

const gatewayIds = ['gw1', 'gw2', 'gw3']

// Of three Java servers and five processes of Node.js, on a machine that has other things to do.
const upMs = 30_000

/** Starts an ensemble, three gateways, a router, users and those who write to them; plays; and ends all of it. */
export async function onStage(signal: AbortSignal, play: (stage: Stage) => Promise<void>): Promise<void> {
  await using lab = await startLab(
    { kind: 'zookeeper', detectMs: 1_000 },
    { name: `mqtt-router-${process.pid}`, signal },
  )
  await using folder = await newFolder()
  await using _programs = startPrograms(lab.url, folder.path)
  await using zookeeper = createZookeeper(lab.url)
  const discovery = zookeeper.discovery(registry)
  const gateways = discovery.service(services.gateways)
  const routers = discovery.service(services.routers)
  const limit = { timeoutMs: upMs, signal }
  await until('the gateways are up', () => gateways.all().length === gatewayIds.length, limit)
  await until('the router is up', () => routers.all().length > 0, limit)
  await using people = new People(gateways.all(), routers)
  const { senders, devices } = people
  await play({
    gateways,
    people,
    mailboxes: () => mailboxesOf(routers),
    tally: async () => tallyOf({ senders, devices, mailboxes: await mailboxesOf(routers) }),
  })
}

async function newFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mqtt-router-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

function startPrograms(connect: string, folder: string): AsyncDisposable {
  const common = { ZOOKEEPER_CONNECT: connect, PORT: '0' }
  const programs = [
    ...gatewayIds.map((id) => new Program('gateway/supervisor-process.js', { ...common, GATEWAY_ID: id })),
    new Program('router/router-process.js', { ...common, MAILBOX_FILE: join(folder, 'mailbox.jsonl') }),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(programs.map((program) => program.close()))
    },
  }
}
