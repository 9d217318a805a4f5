import type { Instance, ServiceView } from '@ha/zookeeper'
import { Device } from './device.ts'
import { Sender } from './sender.ts'

// Two users for each gateway. The first one waits for its gateway while that hangs; the second one pings it every two
// seconds, and moves to the next gateway.
const users = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank']

// For each of six users: fifty messages a second in total.
const everyMs = 120

/** The demo users: a device and a sender for each. */
export class DemoUsers implements AsyncDisposable {
  readonly devices: readonly Device[]
  readonly senders: readonly Sender[]

  constructor(gateways: readonly Instance[], routers: ServiceView) {
    this.devices = users.map((user, index) => deviceOf(user, index, gateways))
    this.senders = users.map((user) => new Sender(user, routers, everyMs))
  }

  /** Resolves when every message that was sent has been accepted or refused. */
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
