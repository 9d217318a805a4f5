import { connectionRefusal } from '../../broker/refusal.ts'
import type { Fields } from '../../wire/method.ts'
import type { Channel } from '../channel.ts'

/** `channel.flow`: a server that always flows agrees to flow. */
export function setFlow(channel: Channel, { active }: Fields<'channel.flow'>): void {
  if (!active) throw connectionRefusal('NOT_IMPLEMENTED', 'active=false')
  channel.ends.send({ name: 'channel.flow-ok', fields: { active } })
}
