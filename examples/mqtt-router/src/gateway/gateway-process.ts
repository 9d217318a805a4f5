// A node of the cluster: an MQTT broker that tells who is connected to it. Its supervisor starts it.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createZookeeper } from '@ha/zookeeper'
import { Aedes } from 'aedes'
import { ensemble, gatewayId, port } from '../environment.ts'
import { inboxOf } from '../names.ts'
import { toldToEnd } from '../told-to-end.ts'
import { Presence } from './presence.ts'

const zookeeper = createZookeeper(ensemble)
const presence = new Presence(zookeeper, gatewayId)
const broker = await Aedes.createBroker({ id: gatewayId })

// Before he has subscribed to his inbox, whatever is sent to him is nobody's. One who has gone meanwhile has no place.
broker.on('subscribe', (subscriptions, client) => {
  if (!client.closed && subscriptions.some(({ topic }) => topic === inboxOf(client.id)))
    presence.arrive(client.id, client)
})
broker.on('unsubscribe', (topics, client) => {
  if (topics.includes(inboxOf(client.id))) presence.leave(client.id, client)
})
broker.on('clientDisconnect', (client) => presence.leave(client.id, client))

const server = createServer({ noDelay: true }, (socket) => void broker.handle(socket))
server.listen(port)
await once(server, 'listening')
process.send?.((server.address() as AddressInfo).port)

await toldToEnd()
server.close()
broker.close()
await zookeeper.close()
