import type { Broker } from '../broker/broker.ts'
import { type AmqpException, connectionException } from '../broker/exceptions.ts'
import { authenticate, mayAccessVhost, type UserTable } from '../broker/users.ts'
import type { Vhost } from '../broker/vhost.ts'
import { type FieldTable, fieldTable } from '../wire/field-tables.ts'
import type { Frame } from '../wire/frames.ts'
import type { Fields, Method, MethodOf } from '../wire/methods.ts'
import { minFrameBytes, protocolHeader } from '../wire/protocol.ts'

/** The state of a handshake, named after the next frame of the client. */
export type HandshakeState =
  | { readonly at: 'protocol-header' }
  | { readonly at: 'start-ok' }
  | { readonly at: 'tune-ok'; readonly client: ClientIdentity }
  | { readonly at: 'open'; readonly client: ClientIdentity; readonly agreed: Fields<'connection.tune-ok'> }

/** The result of a frame in the handshake. */
export type HandshakeResult =
  | { readonly kind: 'continue'; readonly state: HandshakeState; readonly reply: Method | undefined }
  | {
      readonly kind: 'opened'
      readonly client: ClientIdentity
      readonly vhost: Vhost
      readonly agreed: Fields<'connection.tune-ok'>
    }
  /** The client speaks another protocol. */
  | { readonly kind: 'unsupported-protocol' }
  /** The server closes the socket, after this exception when there is one. */
  | { readonly kind: 'failed'; readonly exception: AmqpException | undefined }

/** What a handshake needs. */
interface HandshakeDeps {
  readonly broker: Broker
  readonly settings: ServerSettings
}

const failedSilently: HandshakeResult = { kind: 'failed', exception: undefined }

/** Handles the next frame of a client whose connection is not open yet. */
export function advanceHandshake(state: HandshakeState, frame: Frame, deps: HandshakeDeps): HandshakeResult {
  if (frame.kind === 'protocol-header') return onProtocolHeader(frame.bytes, deps.settings)
  if (frame.kind !== 'method' || frame.channel !== 0) return failedSilently
  const { method } = frame
  if (state.at === 'start-ok' && method.name === 'connection.start-ok') return onStartOk(method.fields, deps)
  if (state.at === 'tune-ok' && method.name === 'connection.tune-ok')
    return onTuneOk(state.client, method.fields, deps)
  if (state.at === 'open' && method.name === 'connection.open')
    return onOpen(state, method.fields.virtualHost, deps)
  return failedSilently
}

function onProtocolHeader(header: Buffer, settings: ServerSettings): HandshakeResult {
  if (!header.equals(protocolHeader)) return { kind: 'unsupported-protocol' }
  return { kind: 'continue', state: { at: 'start-ok' }, reply: startMethod(settings) }
}

function onStartOk(
  fields: Fields<'connection.start-ok'>,
  { broker, settings }: HandshakeDeps,
): HandshakeResult {
  const outcome = authenticateClient(broker.users, fields)
  if (outcome.kind === 'malformed') return failedSilently
  if (outcome.kind === 'refused') {
    const text = `Login was refused using authentication mechanism ${fields.mechanism}. For details see the broker logfile.`
    return {
      kind: 'failed',
      exception: wantsAuthFailureClose(fields) ? connectionException('ACCESS_REFUSED', text) : undefined,
    }
  }
  const { channelMax, frameMaxBytes: frameMax, heartbeatSec: heartbeat } = settings
  const reply: Method = { name: 'connection.tune', fields: { channelMax, frameMax, heartbeat } }
  return { kind: 'continue', state: { at: 'tune-ok', client: outcome.client }, reply }
}

function onTuneOk(
  client: ClientIdentity,
  tuneOk: Fields<'connection.tune-ok'>,
  { settings }: HandshakeDeps,
): HandshakeResult {
  const isFrameFit = tuneOk.frameMax >= minFrameBytes && tuneOk.frameMax <= settings.frameMaxBytes
  // 0 stands for no limit, which is more than the server offers.
  const isChannelFit = tuneOk.channelMax > 0 && tuneOk.channelMax <= settings.channelMax
  if (!isFrameFit || !isChannelFit) return failedSilently
  return { kind: 'continue', state: { at: 'open', client, agreed: tuneOk }, reply: undefined }
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

// The server's identity and capabilities. It announces only capabilities that the fake has.
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
    information: 'A fake broker for tests: @ha/testing/rabbit',
    platform: 'Node.js',
    product: 'RabbitMQ',
    version,
  })
  const fields = { versionMajor: 0, versionMinor: 9, serverProperties, mechanisms: 'PLAIN', locales: 'en_US' }
  return { name: 'connection.start', fields }
}

/** What a client announced when it logged in. */
export interface ClientIdentity {
  readonly user: string
  /** Whether it supports notifications of cancelled consumers. */
  readonly wantsCancelNotify: boolean
  /** Whether it supports connection.blocked. */
  readonly wantsBlockedNotify: boolean
}

/** The result of a log-in. */
type LoginResult =
  | { readonly kind: 'known'; readonly client: ClientIdentity }
  /** Name and password do not match. */
  | { readonly kind: 'refused' }
  /** The credentials cannot be parsed. */
  | { readonly kind: 'malformed' }

/** Checks the credentials in connection.start-ok. */
function authenticateClient(
  users: UserTable,
  { mechanism, response, clientProperties }: StartOk,
): LoginResult {
  const [, name, password] = response.split('\0')
  if (mechanism !== 'PLAIN' || name === undefined || password === undefined) return { kind: 'malformed' }
  const user = authenticate(users, name, password)
  if (user === undefined) return { kind: 'refused' }
  const wantsCancelNotify = hasCapability(clientProperties, 'consumer_cancel_notify')
  const wantsBlockedNotify = hasCapability(clientProperties, 'connection.blocked')
  return { kind: 'known', client: { user, wantsCancelNotify, wantsBlockedNotify } }
}

type StartOk = Fields<'connection.start-ok'>

/** Whether the client supports connection.close after a failed log-in. */
function wantsAuthFailureClose({ clientProperties }: StartOk): boolean {
  return hasCapability(clientProperties, 'authentication_failure_close')
}

function hasCapability(properties: FieldTable, name: string): boolean {
  const capabilities = properties.get('capabilities')
  return capabilities?.type === 'table' && capabilities.value.get(name)?.value === true
}

/** The settings that all nodes of a cluster share, with all defaults filled in. */
export interface ServerSettings {
  readonly version: string
  readonly clusterName: string
  readonly heartbeatSec: number
  readonly frameMaxBytes: number
  readonly channelMax: number
  readonly maxMessageBytes: number
  readonly consumerTimeoutMs: number
}
