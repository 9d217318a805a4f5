import { connectionRefusal } from '../../broker/refusal.ts'
import type { Fields } from '../../wire/method.ts'
import type { MethodName } from '../../wire/method-table.ts'
import type { Command } from '../assembly.ts'
import type { Channel } from '../channel.ts'
import { ack, nack, recover, recoverSilently, reject } from './answering.ts'
import { cancel, consume, get, setPrefetch } from './consuming.ts'
import { bindExchange, declareExchange, deleteExchange, unbindExchange } from './exchanges.ts'
import { setFlow } from './flow.ts'
import { publish, selectConfirms } from './publishing.ts'
import { bindQueue, declareQueue, deleteQueue, purgeQueue, unbindQueue } from './queues.ts'

type Commands = { readonly [N in MethodName]?: (channel: Channel, fields: Fields<N>) => void }

const commands: Commands = {
  'channel.flow': setFlow,
  'exchange.declare': declareExchange,
  'exchange.delete': deleteExchange,
  'exchange.bind': bindExchange,
  'exchange.unbind': unbindExchange,
  'queue.declare': declareQueue,
  'queue.delete': deleteQueue,
  'queue.purge': purgeQueue,
  'queue.bind': bindQueue,
  'queue.unbind': unbindQueue,
  'basic.qos': setPrefetch,
  'basic.consume': consume,
  'basic.cancel': cancel,
  'basic.get': get,
  'basic.ack': ack,
  'basic.nack': nack,
  'basic.reject': reject,
  'basic.recover': recover,
  'basic.recover-async': recoverSilently,
  'confirm.select': selectConfirms,
}

/** Does what a client asks for on a channel; throws a refusal when it may not be. */
export function runCommand(channel: Channel, command: Command): void {
  if (command.kind === 'publish') publish(channel, command.method.fields, command.content, command.act)
  else runPlain(channel, command.method)
}

function runPlain<N extends MethodName>(
  channel: Channel,
  method: { readonly name: N; readonly fields: Fields<N> },
): void {
  const command: Commands[N] = commands[method.name]
  if (command === undefined) throw connectionRefusal('COMMAND_INVALID', 'unimplemented method')
  command(channel, method.fields)
}
