import type { Destination } from '../../broker/bindings.ts'
import { alternateOf, type Exchange, exchangeKind, isPredeclared } from '../../broker/exchange.ts'
import { checkArguments, checkProperties } from '../../broker/inequivalent.ts'
import { channelRefusal } from '../../broker/refusal.ts'
import type { Fields } from '../../wire/method.ts'
import type { Channel } from '../channel.ts'

/** `exchange.declare`: makes an exchange, or sees that the one that is there is the same. */
export function declareExchange(channel: Channel, fields: Fields<'exchange.declare'>): void {
  if (fields.passive) checkExchange(channel, fields.exchange)
  else makeExchange(channel, fields)
  if (!fields.nowait) channel.ends.send({ name: 'exchange.declare-ok', fields: {} })
}

function checkExchange(channel: Channel, name: string): void {
  refuseDefault(name)
  channel.ends.vhost.exchange(name)
}

function makeExchange(channel: Channel, fields: Fields<'exchange.declare'>): void {
  const { vhost } = channel.ends
  const kind = exchangeKind(fields.type)
  refuseDefault(fields.exchange)
  channel.check('configure', 'exchange', fields.exchange)
  const { durable, autoDelete, internal } = fields
  const wanted = { name: fields.exchange, kind, durable, autoDelete, internal, arguments: fields.arguments }
  const current = vhost.findExchange(fields.exchange)
  if (current !== undefined) checkSame(`exchange '${current.name}' in vhost '${vhost.name}'`, wanted, current)
  else addExchange(channel, wanted)
}

function addExchange(channel: Channel, exchange: Exchange): void {
  refuseReserved('exchange', exchange.name)
  const alternate = alternateOf(exchange)
  if (alternate !== undefined) {
    channel.check('read', 'exchange', exchange.name)
    channel.check('write', 'exchange', alternate)
  }
  channel.ends.vhost.addExchange(exchange)
}

function checkSame(what: string, wanted: Exchange, current: Exchange): void {
  checkProperties(what, [
    { name: 'type', received: wanted.kind, current: current.kind },
    { name: 'durable', received: wanted.durable, current: current.durable },
    { name: 'auto_delete', received: wanted.autoDelete, current: current.autoDelete },
    { name: 'internal', received: wanted.internal, current: current.internal },
  ])
  checkArguments(what, ['alternate-exchange'], wanted.arguments, current.arguments)
}

/** `exchange.delete`: an exchange that is not there counts as deleted. */
export function deleteExchange(channel: Channel, fields: Fields<'exchange.delete'>): void {
  const { vhost } = channel.ends
  const { exchange: name, ifUnused } = fields
  refuseDefault(name)
  channel.check('configure', 'exchange', name)
  if (isPredeclared(name)) {
    throw channelRefusal(
      'ACCESS_REFUSED',
      `deletion of system exchange '${name}' in vhost '${vhost.name}' not allowed`,
    )
  }
  if (ifUnused && vhost.hasBindings(name)) {
    throw channelRefusal('PRECONDITION_FAILED', `exchange '${name}' in vhost '${vhost.name}' in use`)
  }
  vhost.removeExchange(name)
  if (!fields.nowait) channel.ends.send({ name: 'exchange.delete-ok', fields: {} })
}

/** `exchange.bind`. */
export function bindExchange(channel: Channel, fields: Fields<'exchange.bind'>): void {
  checkBinding(channel, destinationOf(fields), fields.source)
  const { source, routingKey } = fields
  channel.ends.vhost.exchange(source)
  channel.ends.vhost.exchange(fields.destination)
  channel.ends.vhost.bind({
    source,
    destination: destinationOf(fields),
    routingKey,
    arguments: fields.arguments,
  })
  if (!fields.nowait) channel.ends.send({ name: 'exchange.bind-ok', fields: {} })
}

/** `exchange.unbind`: what is not there counts as unbound. */
export function unbindExchange(channel: Channel, fields: Fields<'exchange.unbind'>): void {
  checkBinding(channel, destinationOf(fields), fields.source)
  const { source, routingKey } = fields
  channel.ends.vhost.unbind({
    source,
    destination: destinationOf(fields),
    routingKey,
    arguments: fields.arguments,
  })
  if (!fields.nowait) channel.ends.send({ name: 'exchange.unbind-ok', fields: {} })
}

function destinationOf({ destination }: { readonly destination: string }): Destination {
  return { kind: 'exchange', name: destination }
}

/** Refuses a binding that involves the default exchange or that the user may not make. */
export function checkBinding(channel: Channel, destination: Destination, source: string): void {
  refuseDefault(source)
  if (destination.kind === 'exchange') refuseDefault(destination.name)
  channel.check('write', destination.kind, destination.name)
  channel.check('read', 'exchange', source)
}

function refuseDefault(name: string): void {
  if (name === '') throw channelRefusal('ACCESS_REFUSED', 'operation not permitted on the default exchange')
}

/** Refuses to make something whose name only the broker may give. */
export function refuseReserved(kind: 'queue' | 'exchange', name: string): void {
  if (!name.startsWith('amq.')) return
  throw channelRefusal('ACCESS_REFUSED', `${kind} name '${name}' contains reserved prefix 'amq.*'`)
}
