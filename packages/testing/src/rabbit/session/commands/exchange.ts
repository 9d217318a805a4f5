import { checkEquivalentArguments, checkEquivalentProperties } from '../../broker/arguments.ts'
import { channelException } from '../../broker/exceptions.ts'
import {
  alternateExchangeOf,
  type Destination,
  type Exchange,
  exchangeKind,
  isPredeclared,
} from '../../broker/exchanges.ts'
import type { Fields } from '../../wire/methods.ts'
import type { Channel } from '../channel.ts'

/** `exchange.declare`: creates an exchange, or checks that the existing one is equivalent. */
export function declareExchange(channel: Channel, fields: Fields<'exchange.declare'>): void {
  if (fields.passive) passiveDeclare(channel, fields.exchange)
  else ensureExchange(channel, fields)
  if (!fields.nowait) channel.send({ name: 'exchange.declare-ok', fields: {} })
}

function passiveDeclare(channel: Channel, name: string): void {
  forbidDefaultExchange(name)
  channel.context.vhost.exchange(name)
}

function ensureExchange(channel: Channel, fields: Fields<'exchange.declare'>): void {
  const { vhost } = channel.context
  const kind = exchangeKind(fields.type)
  forbidDefaultExchange(fields.exchange)
  channel.check('configure', 'exchange', fields.exchange)
  const { durable, autoDelete, internal } = fields
  const wanted = { name: fields.exchange, kind, durable, autoDelete, internal, arguments: fields.arguments }
  const current = vhost.findExchange(fields.exchange)
  if (current !== undefined)
    checkEquivalent(`exchange '${current.name}' in vhost '${vhost.name}'`, wanted, current)
  else addExchange(channel, wanted)
}

function addExchange(channel: Channel, exchange: Exchange): void {
  forbidReservedName('exchange', exchange.name)
  const alternate = alternateExchangeOf(exchange)
  if (alternate !== undefined) {
    channel.check('read', 'exchange', exchange.name)
    channel.check('write', 'exchange', alternate)
  }
  channel.context.vhost.addExchange(exchange)
}

function checkEquivalent(what: string, wanted: Exchange, current: Exchange): void {
  checkEquivalentProperties(what, [
    { name: 'type', received: wanted.kind, current: current.kind },
    { name: 'durable', received: wanted.durable, current: current.durable },
    { name: 'auto_delete', received: wanted.autoDelete, current: current.autoDelete },
    { name: 'internal', received: wanted.internal, current: current.internal },
  ])
  checkEquivalentArguments(what, ['alternate-exchange'], wanted.arguments, current.arguments)
}

/** `exchange.delete`: an unknown exchange counts as deleted. */
export function deleteExchange(channel: Channel, fields: Fields<'exchange.delete'>): void {
  const { vhost } = channel.context
  const { exchange: name, ifUnused } = fields
  forbidDefaultExchange(name)
  channel.check('configure', 'exchange', name)
  if (isPredeclared(name)) {
    throw channelException(
      'ACCESS_REFUSED',
      `deletion of system exchange '${name}' in vhost '${vhost.name}' not allowed`,
    )
  }
  if (ifUnused && vhost.hasBindings(name)) {
    throw channelException('PRECONDITION_FAILED', `exchange '${name}' in vhost '${vhost.name}' in use`)
  }
  vhost.removeExchange(name)
  if (!fields.nowait) channel.send({ name: 'exchange.delete-ok', fields: {} })
}

/** `exchange.bind`. */
export function bindExchange(channel: Channel, fields: Fields<'exchange.bind'>): void {
  checkBinding(channel, destinationOf(fields), fields.source)
  const { source, routingKey } = fields
  channel.context.vhost.exchange(source)
  channel.context.vhost.exchange(fields.destination)
  channel.context.vhost.bind({
    source,
    destination: destinationOf(fields),
    routingKey,
    arguments: fields.arguments,
  })
  if (!fields.nowait) channel.send({ name: 'exchange.bind-ok', fields: {} })
}

/** `exchange.unbind`: an unknown binding counts as removed. */
export function unbindExchange(channel: Channel, fields: Fields<'exchange.unbind'>): void {
  checkBinding(channel, destinationOf(fields), fields.source)
  const { source, routingKey } = fields
  channel.context.vhost.unbind({
    source,
    destination: destinationOf(fields),
    routingKey,
    arguments: fields.arguments,
  })
  if (!fields.nowait) channel.send({ name: 'exchange.unbind-ok', fields: {} })
}

function destinationOf({ destination }: { readonly destination: string }): Destination {
  return { kind: 'exchange', name: destination }
}

/** Throws at a binding that involves the default exchange or for which the user has no permission. */
export function checkBinding(channel: Channel, destination: Destination, source: string): void {
  forbidDefaultExchange(source)
  if (destination.kind === 'exchange') forbidDefaultExchange(destination.name)
  channel.check('write', destination.kind, destination.name)
  channel.check('read', 'exchange', source)
}

function forbidDefaultExchange(name: string): void {
  if (name === '') throw channelException('ACCESS_REFUSED', 'operation not permitted on the default exchange')
}

/** Throws at a name with a prefix that is reserved for the server. */
export function forbidReservedName(kind: 'queue' | 'exchange', name: string): void {
  if (!name.startsWith('amq.')) return
  throw channelException('ACCESS_REFUSED', `${kind} name '${name}' contains reserved prefix 'amq.*'`)
}
