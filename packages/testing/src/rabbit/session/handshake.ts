import type { Broker } from '../broker/broker.ts'
import { type AmqpException, connectionException } from '../broker/exceptions.ts'
import { authenticate, mayAccessVhost, type Users } from '../broker/users.ts'
import type { Vhost } from '../broker/vhost.ts'
import { type FieldTable, fieldTable } from '../wire/field-tables.ts'
import type { Frame } from '../wire/frames.ts'
import type { Fields, Method, MethodOf } from '../wire/methods.ts'
import { minFrameBytes, protocolHeader } from '../wire/protocol.ts'

/** How far a connection has come before it is open: named by what the client has to say next. */
export type HandshakeState =
  | { readonly at: 'protocol-header' }
  | { readonly at: 'start-ok' }
  | { readonly at: 'tune-ok'; readonly client: ClientIdentity }
  | { readonly at: 'open'; readonly client: ClientIdentity; readonly agreed: Fields<'connection.tune-ok'> }

/** What the client's word led to. */
export type HandshakeResult =
  | { readonly kind: 'further'; readonly greeting: HandshakeState; readonly reply: Method | undefined }
  | {
      readonly kind: 'opened'
      readonly client: ClientIdentity
      readonly vhost: Vhost
      readonly agreed: Fields<'connection.tune-ok'>
    }
  /** It speaks another protocol. */
  | { readonly kind: 'foreign' }
  /** It is left without a word, or with this one. */
  | { readonly kind: 'failed'; readonly word: AmqpException | undefined }

/** What a greeting looks at. */
interface HandshakeDeps {
  readonly broker: Broker
  readonly settings: ServerSettings
}

const failedSilently: HandshakeResult = { kind: 'failed', word: undefined }

/** Takes the next word of a client that is not yet through the door. */
export function advanceHandshake(
  greeting: HandshakeState,
  frame: Frame,
  world: HandshakeDeps,
): HandshakeResult {
  if (frame.kind === 'protocol-header') return onProtocolHeader(frame.bytes, world.settings)
  if (frame.kind !== 'method' || frame.channel !== 0) return failedSilently
  const { method } = frame
  if (greeting.at === 'start-ok' && method.name === 'connection.start-ok')
    return onStartOk(method.fields, world)
  if (greeting.at === 'tune-ok' && method.name === 'connection.tune-ok')
    return onTuneOk(greeting.client, method.fields, world)
  if (greeting.at === 'open' && method.name === 'connection.open')
    return onOpen(greeting, method.fields.virtualHost, world)
  return failedSilently
}

function onProtocolHeader(header: Buffer, settings: ServerSettings): HandshakeResult {
  if (!header.equals(protocolHeader)) return { kind: 'foreign' }
  return { kind: 'further', greeting: { at: 'start-ok' }, reply: startMethod(settings) }
}

function onStartOk(
  fields: Fields<'connection.start-ok'>,
  { broker, settings }: HandshakeDeps,
): HandshakeResult {
  const outcome = authenticateClient(broker.users, fields)
  if (outcome.kind === 'unreadable') return failedSilently
  if (outcome.kind === 'refused') {
    const text = `Login was refused using authentication mechanism ${fields.mechanism}. For details see the broker logfile.`
    return {
      kind: 'failed',
      word: wantsAuthFailureClose(fields) ? connectionException('ACCESS_REFUSED', text) : undefined,
    }
  }
  const { channelMax, frameMaxBytes: frameMax, heartbeatSec: heartbeat } = settings
  const reply: Method = { name: 'connection.tune', fields: { channelMax, frameMax, heartbeat } }
  return { kind: 'further', greeting: { at: 'tune-ok', client: outcome.client }, reply }
}

function onTuneOk(
  client: ClientIdentity,
  wish: Fields<'connection.tune-ok'>,
  { settings }: HandshakeDeps,
): HandshakeResult {
  const isFrameFit = wish.frameMax >= minFrameBytes && wish.frameMax <= settings.frameMaxBytes
  // 0 is no limit at all, which is more than the server offers.
  const isChannelFit = wish.channelMax > 0 && wish.channelMax <= settings.channelMax
  if (!isFrameFit || !isChannelFit) return failedSilently
  return { kind: 'further', greeting: { at: 'open', client, agreed: wish }, reply: undefined }
}

function onOpen(
  { client, agreed }: Extract<HandshakeState, { at: 'open' }>,
  name: string,
  { broker }: HandshakeDeps,
): HandshakeResult {
  const vhost = broker.vhost(name)
  if (vhost === undefined) throw connectionException('NOT_ALLOWED', `vhost ${name} not found`)
  if (!mayAccessVhost(broker.users, client.user, name)) {
    throw connectionException('NOT_ALLOWED', `access to vhost '${name}' refused for user '${client.user}'`)
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

/** What a client told of itself when it logged in. */
export interface ClientIdentity {
  readonly user: string
  /** Whether it wants to hear that a consumer was cancelled. */
  readonly wantsCancelNotify: boolean
  /** Whether it wants to hear that it may not publish for now. */
  readonly wantsBlockedNotify: boolean
}

/** What came of a log-in. */
type LoginResult =
  | { readonly kind: 'known'; readonly client: ClientIdentity }
  /** Name and password do not fit. */
  | { readonly kind: 'refused' }
  /** Nothing that the server can read. */
  | { readonly kind: 'unreadable' }

/** Looks at what a client says of itself. */
function authenticateClient(users: Users, { mechanism, response, clientProperties }: StartOk): LoginResult {
  const [, name, password] = response.split('\0')
  if (mechanism !== 'PLAIN' || name === undefined || password === undefined) return { kind: 'unreadable' }
  const user = authenticate(users, name, password)
  if (user === undefined) return { kind: 'refused' }
  const wantsCancelNotify = hasCapability(clientProperties, 'consumer_cancel_notify')
  const wantsBlockedNotify = hasCapability(clientProperties, 'connection.blocked')
  return { kind: 'known', client: { user, wantsCancelNotify, wantsBlockedNotify } }
}

type StartOk = Fields<'connection.start-ok'>

/** Whether a client wants to be told that its log-in failed, and not just be left. */
function wantsAuthFailureClose({ clientProperties }: StartOk): boolean {
  return hasCapability(clientProperties, 'authentication_failure_close')
}

function hasCapability(properties: FieldTable, name: string): boolean {
  const capabilities = properties.get('capabilities')
  return capabilities?.type === 'table' && capabilities.value.get(name)?.value === true
}

/** What the nodes of a cluster say and bear, with nothing left open. */
export interface ServerSettings {
  readonly version: string
  readonly clusterName: string
  readonly heartbeatSec: number
  readonly frameMaxBytes: number
  readonly channelMax: number
  readonly maxMessageBytes: number
  readonly consumerTimeoutMs: number
}
