// A node of the cluster: an MQTT broker that publishes which users are connected to it. Its supervisor starts it.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createZookeeper } from '@ha/zookeeper'
import { Aedes } from 'aedes'
import { ensemble, gatewayId, port } from '../environment.ts'
import { inboxTopic } from '../names.ts'
import { shutdownSignal } from '../shutdown-signal.ts'
import { Presence } from './presence.ts'

const zookeeper = createZookeeper(ensemble)
const presence = new Presence(zookeeper, gatewayId)
const broker = await Aedes.createBroker({ id: gatewayId })

// A user is present from the subscription to the inbox on: the broker drops messages that arrive earlier. The client
// may have disconnected in the meantime.
broker.on('subscribe', (subscriptions, client) => {
  if (!client.closed && subscriptions.some(({ topic }) => topic === inboxTopic(client.id)))
    presence.add(client.id, client)
})
broker.on('unsubscribe', (topics, client) => {
  if (topics.includes(inboxTopic(client.id))) presence.remove(client.id, client)
})
broker.on('clientDisconnect', (client) => presence.remove(client.id, client))

const server = createServer({ noDelay: true }, (socket) => void broker.handle(socket))
server.listen(port)
await once(server, 'listening')
process.send?.((server.address() as AddressInfo).port)

await shutdownSignal()
server.close()
broker.close()
await zookeeper.close()
