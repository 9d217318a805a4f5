import type { Broker } from '../broker/broker.ts'
import { connectionRefusal, type Refusal } from '../broker/refusal.ts'
import { mayEnter } from '../broker/users.ts'
import type { Vhost } from '../broker/vhost.ts'
import { fieldTable } from '../wire/field-value.ts'
import type { Frame } from '../wire/frame.ts'
import type { Fields, Method, MethodOf } from '../wire/method.ts'
import { minFrameBytes, protocolHeader } from '../wire/protocol.ts'
import { type Client, hearsFailure, logIn } from './log-in.ts'
import type { ServerSettings } from './settings.ts'

/** How far a connection has come before it is open: named by what the client has to say next. */
export type Greeting =
  | { readonly at: 'protocol-header' }
  | { readonly at: 'start-ok' }
  | { readonly at: 'tune-ok'; readonly client: Client }
  | { readonly at: 'open'; readonly client: Client; readonly agreed: Fields<'connection.tune-ok'> }

/** What the client's word led to. */
export type Greeted =
  | { readonly kind: 'further'; readonly greeting: Greeting; readonly reply: Method | undefined }
  | {
      readonly kind: 'opened'
      readonly client: Client
      readonly vhost: Vhost
      readonly agreed: Fields<'connection.tune-ok'>
    }
  /** It speaks another protocol. */
  | { readonly kind: 'foreign' }
  /** It is left without a word, or with this one. */
  | { readonly kind: 'failed'; readonly word: Refusal | undefined }

/** What a greeting looks at. */
export interface GreetingWorld {
  readonly broker: Broker
  readonly settings: ServerSettings
}

const withoutWord: Greeted = { kind: 'failed', word: undefined }

/** Takes the next word of a client that is not yet through the door. */
export function greet(greeting: Greeting, frame: Frame, world: GreetingWorld): Greeted {
  if (frame.kind === 'protocol-header') return beginWith(frame.bytes, world.settings)
  if (frame.kind !== 'method' || frame.channel !== 0) return withoutWord
  const { method } = frame
  if (greeting.at === 'start-ok' && method.name === 'connection.start-ok')
    return identify(method.fields, world)
  if (greeting.at === 'tune-ok' && method.name === 'connection.tune-ok')
    return agree(greeting.client, method.fields, world)
  if (greeting.at === 'open' && method.name === 'connection.open')
    return enter(greeting, method.fields.virtualHost, world)
  return withoutWord
}

function beginWith(header: Buffer, settings: ServerSettings): Greeted {
  if (!header.equals(protocolHeader)) return { kind: 'foreign' }
  return { kind: 'further', greeting: { at: 'start-ok' }, reply: startMethod(settings) }
}

function identify(fields: Fields<'connection.start-ok'>, { broker, settings }: GreetingWorld): Greeted {
  const outcome = logIn(broker.users, fields)
  if (outcome.kind === 'unreadable') return withoutWord
  if (outcome.kind === 'refused') {
    const text = `Login was refused using authentication mechanism ${fields.mechanism}. For details see the broker logfile.`
    return {
      kind: 'failed',
      word: hearsFailure(fields) ? connectionRefusal('ACCESS_REFUSED', text) : undefined,
    }
  }
  const { channelMax, frameMaxBytes: frameMax, heartbeatSec: heartbeat } = settings
  const reply: Method = { name: 'connection.tune', fields: { channelMax, frameMax, heartbeat } }
  return { kind: 'further', greeting: { at: 'tune-ok', client: outcome.client }, reply }
}

function agree(client: Client, wish: Fields<'connection.tune-ok'>, { settings }: GreetingWorld): Greeted {
  const isFrameFit = wish.frameMax >= minFrameBytes && wish.frameMax <= settings.frameMaxBytes
  // 0 is no limit at all, which is more than the server offers.
  const isChannelFit = wish.channelMax > 0 && wish.channelMax <= settings.channelMax
  if (!isFrameFit || !isChannelFit) return withoutWord
  return { kind: 'further', greeting: { at: 'open', client, agreed: wish }, reply: undefined }
}

function enter(
  { client, agreed }: Extract<Greeting, { at: 'open' }>,
  name: string,
  { broker }: GreetingWorld,
): Greeted {
  const vhost = broker.vhost(name)
  if (vhost === undefined) throw connectionRefusal('NOT_ALLOWED', `vhost ${name} not found`)
  if (!mayEnter(broker.users, client.user, name)) {
    throw connectionRefusal('NOT_ALLOWED', `access to vhost '${name}' refused for user '${client.user}'`)
  }
  return { kind: 'opened', client, vhost, agreed }
}

// Who the server is and what it can. It claims nothing that the fake does not do.
function startMethod({ version, clusterName }: ServerSettings): MethodOf<'connection.start'> {
  const serverProperties = fieldTable({
    capabilities: {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      'basic.nack': true,
      consumer_cancel_notify: true,
      'connection.blocked': true,
      authentication_failure_close: true,
      per_consumer_qos: true,
    },
    cluster_name: clusterName,
    information: 'A fake broker for tests: @ha/rabbit/testing',
    platform: 'Node.js',
    product: 'RabbitMQ',
    version,
  })
  const fields = { versionMajor: 0, versionMinor: 9, serverProperties, mechanisms: 'PLAIN', locales: 'en_US' }
  return { name: 'connection.start', fields }
}
