import { randomUUID } from 'node:crypto'
import { connect, type MqttClient } from 'mqtt'
import { sendAtOnce } from '../send-at-once.ts'

/**
 * Connects to a gateway, sends a message through it and gets it back, as a user would: returns how many milliseconds
 * that took. A PINGREQ would be less: a broker can answer that and neither take clients nor move messages.
 */
export async function roundTrip(url: string, signal: AbortSignal): Promise<number> {
  const begunMs = performance.now()
  const clientId = `probe-${randomUUID()}`
  const client = connect(url, { clientId, reconnectPeriod: 0 })
  sendAtOnce(client)
  const failed = new Promise<never>((_resolve, reject) => {
    client.once('error', reject)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  try {
    await Promise.race([failed, echo(client, `probes/${clientId}`)])
    return performance.now() - begunMs
  } finally {
    client.end(true)
  }
}

async function echo(client: MqttClient, topic: string): Promise<void> {
  await new Promise((resolve) => client.once('connect', resolve))
  await client.subscribeAsync(topic, { qos: 1 })
  const heard = new Promise((resolve) => client.once('message', resolve))
  client.publish(topic, '', { qos: 1 })
  await heard
}
