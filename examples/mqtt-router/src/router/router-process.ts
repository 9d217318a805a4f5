// Sends each message to the gateway that holds its user, and keeps what cannot be delivered in his mailbox.
//   ZOOKEEPER_CONNECT=zk1:2181,zk2:2181,zk3:2181 MAILBOX_FILE=mailbox.jsonl PORT=8080 node dist/router/router-process.js
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createZookeeper } from '@ha/zookeeper'
import { address, ensemble, mailboxFile, port } from '../environment.ts'
import type { Message } from '../message.ts'
import { presenceOf, presenceRoot, registry, services } from '../names.ts'
import { toldToEnd } from '../told-to-end.ts'
import { FileMailbox } from './file-mailbox.ts'
import { frontDesk } from './front-desk.ts'
import { Lines } from './lines.ts'
import { PostOffice } from './post-office.ts'
import { routeTo } from './route.ts'

// A user whose receipt takes longer has not got the message, as far as anybody knows.
const deliveryMs = 1_000

// How often mailboxes are tried when nothing has happened: a delivery can fail and leave no trace in the registry.
const roundMs = 1_000

const zookeeper = createZookeeper(ensemble)
const discovery = zookeeper.discovery(registry)
const gateways = discovery.service(services.gateways)
const presence = zookeeper.cache(presenceRoot, { depth: 1, decode: ({ data }) => data.toString() })
const lines = new Lines()
const mailbox = await FileMailbox.open(mailboxFile)
const office = new PostOffice({ mailbox, deliver })

async function deliver(user: string, message: Message): Promise<boolean> {
  const gateway = routeTo(presence.get(presenceOf(user))?.value, gateways.all())
  return gateway !== undefined && (await lines.deliver(gateway, user, message, deliveryMs))
}

function makeRound(): void {
  office
    .makeRound()
    .catch((error: Error) => console.log(`router: a mailbox cannot be emptied: ${error.message}`))
}

async function followGateways(): Promise<void> {
  for await (const { added, removed } of gateways.changes()) {
    lines.keep(gateways.all())
    for (const { id } of added) console.log(`router: ${id} is in the cluster`)
    for (const { id } of removed)
      console.log(`router: ${id} is not: its users' messages go to their mailboxes`)
    makeRound()
  }
}

await zookeeper.ready()
await Promise.all([gateways.ready(), presence.ready()])
const following = followGateways()
presence.onChange(makeRound)
const rounds = setInterval(makeRound, roundMs)

const desk = frontDesk(office, mailbox).listen(port)
await once(desk, 'listening')
const { port: deskPort } = desk.address() as AddressInfo
const registration = discovery.register({ name: services.routers, address, port: deskPort })
await registration.ready()

await toldToEnd()
await registration.close()
clearInterval(rounds)
desk.close()
await once(desk, 'close')
await zookeeper.close()
await following
lines.close()
await mailbox.close()
