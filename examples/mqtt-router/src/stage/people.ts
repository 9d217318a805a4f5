import type { Instance, ServiceView } from '@ha/zookeeper'
import { Device } from './device.ts'
import { Sender } from './sender.ts'

// Two for each gateway. The first of them waits for it when it hangs; the second asks every two seconds whether it is
// there, and goes to the next one.
const users = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank']

// To each of six: fifty messages a second.
const everyMs = 120

/** The users with their devices, and those who write to them. */
export class People implements AsyncDisposable {
  readonly devices: readonly Device[]
  readonly senders: readonly Sender[]

  constructor(gateways: readonly Instance[], routers: ServiceView) {
    this.devices = users.map((user, index) => deviceOf(user, index, gateways))
    this.senders = users.map((user) => new Sender(user, routers, everyMs))
  }

  /** Ends when every message that was begun is taken or refused. */
  async stopSending(): Promise<void> {
    await Promise.all(this.senders.map((sender) => sender.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopSending()
    await Promise.all(this.devices.map((device) => device.close()))
  }
}

function deviceOf(user: string, index: number, gateways: readonly Instance[]): Device {
  const home = Math.floor(index / 2) % gateways.length
  const inTurn = [...gateways.slice(home), ...gateways.slice(0, home)]
  const waits = index % 2 === 0
  return new Device(
    waits
      ? { user, gateways: inTurn.slice(0, 1), keepaliveS: 60 }
      : { user, gateways: inTurn, keepaliveS: 2 },
  )
}
