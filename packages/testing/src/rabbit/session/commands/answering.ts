import { connectionRefusal } from '../../broker/refusal.ts'
import type { Fields } from '../../wire/method.ts'
import type { Channel } from '../channel.ts'

/** `basic.ack`: the messages are done with. */
export function ack(channel: Channel, { deliveryTag, multiple }: Fields<'basic.ack'>): void {
  const taken = channel.unacked.take(deliveryTag, multiple)
  for (const { queue } of taken) queue.settle()
  channel.pump(taken)
}

/** `basic.nack`: the messages come back, or are dead. */
export function nack(channel: Channel, { deliveryTag, multiple, requeue }: Fields<'basic.nack'>): void {
  const taken = channel.unacked.take(deliveryTag, multiple)
  if (requeue) {
    channel.giveBack(taken, 'refused')
    return
  }
  for (const { queue, entry } of taken) queue.reject(entry)
  channel.pump(taken)
}

/** `basic.reject`: a nack of one message. */
export function reject(channel: Channel, { deliveryTag, requeue }: Fields<'basic.reject'>): void {
  nack(channel, { deliveryTag, multiple: false, requeue })
}

/** `basic.recover`: all messages of the channel come back. */
export function recover(channel: Channel, fields: Fields<'basic.recover'>): void {
  recoverSilently(channel, fields)
  channel.ends.send({ name: 'basic.recover-ok', fields: {} })
}

/** `basic.recover-async`: the same without a reply. */
export function recoverSilently(channel: Channel, { requeue }: Fields<'basic.recover-async'>): void {
  if (!requeue) throw connectionRefusal('NOT_IMPLEMENTED', 'requeue=false')
  channel.giveBack(channel.unacked.takeAll(), 'refused')
}
