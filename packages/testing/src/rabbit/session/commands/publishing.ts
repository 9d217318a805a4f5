import { publicationOf } from '../../broker/message.ts'
import { channelRefusal, connectionRefusal } from '../../broker/refusal.ts'
import type { Placed } from '../../broker/vhost.ts'
import type { PublishAct } from '../../script/rule.ts'
import type { Fields } from '../../wire/method.ts'
import { replyCodes } from '../../wire/protocol.ts'
import type { Content } from '../assembly.ts'
import type { Channel } from '../channel.ts'

/** `basic.publish`: the message goes into the queues that it reaches; it is returned, if at all, before its confirm. */
export function publish(
  channel: Channel,
  fields: Fields<'basic.publish'>,
  content: Content,
  act: PublishAct | undefined,
): void {
  checkPublish(channel, fields, content)
  const { vhost, user, send } = channel.ends
  const { exchange, routingKey } = fields
  const publication = publicationOf({ exchange, routingKey, ...content })
  if (publication.userId !== undefined && publication.userId !== user)
    throw otherUser(publication.userId, user)
  const place = (): Placed => vhost.publish(publication)
  const placed = act?.do === 'nack' ? { queues: 1, isRefused: true } : place()
  if (act?.do === 'store-twice') place()
  if (fields.mandatory && placed.queues === 0) {
    const reply = { replyCode: replyCodes.NO_ROUTE, replyText: 'NO_ROUTE' }
    send({ name: 'basic.return', fields: { ...reply, exchange, routingKey } }, content)
  }
  channel.confirms?.settle(placed.isRefused ? 'nack' : 'ack', act)
}

function checkPublish(channel: Channel, fields: Fields<'basic.publish'>, { bodyBytes }: Content): void {
  const { vhost, maxMessageBytes } = channel.ends
  if (bodyBytes > maxMessageBytes) {
    const text = `message size ${bodyBytes} is larger than configured max size ${maxMessageBytes}`
    throw channelRefusal('PRECONDITION_FAILED', text)
  }
  if (fields.immediate) throw connectionRefusal('NOT_IMPLEMENTED', 'immediate=true')
  channel.check('write', 'exchange', fields.exchange)
  const exchange = vhost.exchange(fields.exchange)
  if (!exchange.internal) return
  throw channelRefusal(
    'ACCESS_REFUSED',
    `cannot publish to internal exchange '${exchange.name}' in vhost '${vhost.name}'`,
  )
}

function otherUser(claimed: string, user: string): Error {
  return channelRefusal(
    'PRECONDITION_FAILED',
    `user_id property set to '${claimed}' but authenticated user was '${user}'`,
  )
}

/** `confirm.select`: from here on the channel confirms. */
export function selectConfirms(channel: Channel, { nowait }: Fields<'confirm.select'>): void {
  channel.selectConfirms()
  if (!nowait) channel.ends.send({ name: 'confirm.select-ok', fields: {} })
}
