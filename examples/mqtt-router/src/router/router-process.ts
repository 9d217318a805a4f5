// Delivers each message through the gateway that the user is connected to, and keeps undelivered messages in mailboxes.
//   ZOOKEEPER_CONNECT=zk1:2181,zk2:2181,zk3:2181 MAILBOX_FILE=mailbox.jsonl PORT=8080 node dist/router/router-process.js
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createZookeeper } from '@ha/zookeeper'
import { address, ensemble, mailboxFile, port } from '../environment.ts'
import type { Message } from '../message.ts'
import { presencePath, presenceRoot, registry, services } from '../names.ts'
import { shutdownSignal } from '../shutdown-signal.ts'
import { FileMailbox } from './file-mailbox.ts'
import { GatewayConnections } from './gateway-connections.ts'
import { createHttpApi } from './http-api.ts'
import { MessageDelivery } from './message-delivery.ts'
import { routeTo } from './route.ts'

// A message without a receipt after this time counts as not delivered.
const receiptTimeoutMs = 1_000

// How often mailboxes are retried without any event: a failed delivery does not always change the registry.
const retryIntervalMs = 1_000

const zookeeper = createZookeeper(ensemble)
const discovery = zookeeper.discovery(registry)
const gateways = discovery.service(services.gateways)
const presence = zookeeper.cache(presenceRoot, { depth: 1, decode: ({ data }) => data.toString() })
const connections = new GatewayConnections()
const mailbox = await FileMailbox.open(mailboxFile)
const delivery = new MessageDelivery({ mailbox, deliver })

async function deliver(user: string, message: Message): Promise<boolean> {
  const gateway = routeTo(presence.get(presencePath(user))?.value, gateways.all())
  return gateway !== undefined && (await connections.deliver(gateway, user, message, receiptTimeoutMs))
}

function deliverWaiting(): void {
  delivery
    .deliverWaiting()
    .catch((error: Error) => console.log(`router: delivery from the mailboxes failed: ${error.message}`))
}

async function followGateways(): Promise<void> {
  for await (const { added, removed } of gateways.changes()) {
    connections.update(gateways.all())
    for (const { id } of added) console.log(`router: gateway ${id} joined the cluster`)
    for (const { id } of removed)
      console.log(`router: gateway ${id} left the cluster; messages of its users go to their mailboxes`)
    deliverWaiting()
  }
}

await zookeeper.ready()
await Promise.all([gateways.ready(), presence.ready()])
const following = followGateways()
presence.onChange(deliverWaiting)
const retries = setInterval(deliverWaiting, retryIntervalMs)

const api = createHttpApi(delivery, mailbox).listen(port)
await once(api, 'listening')
const { port: apiPort } = api.address() as AddressInfo
const registration = discovery.register({ name: services.routers, address, port: apiPort })
await registration.ready()

await shutdownSignal()
await registration.close()
clearInterval(retries)
api.close()
await once(api, 'close')
await zookeeper.close()
await following
connections.close()
await mailbox.close()
