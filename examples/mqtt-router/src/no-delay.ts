import { Socket } from 'node:net'
import type { MqttClient } from 'mqtt'

/**
 * Disables Nagle's algorithm on the client's socket. Without this, a small packet waits for the acknowledgement of the
 * previous one, which the peer delays by 40 ms: a message and its receipt took 55 to 90 ms instead of 3 ms.
 */
export function disableNagle(client: MqttClient): void {
  client.on('connect', () => {
    if (client.stream instanceof Socket) client.stream.setNoDelay(true)
  })
}
