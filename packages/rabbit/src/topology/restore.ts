import { abandonable, type Declaration } from '@ha/core'
import { openChannel } from '../amqp/channel.ts'
import type { AmqpConnection } from '../amqp/connection.ts'
import type { Channel } from '../amqp/types.ts'
import { needsOf, planTopology, queueOptions, type Step, survives } from './plan.ts'
import type { QueueNames } from './queue-names.ts'
import type { BindingSpec, Topology } from './spec.ts'

/** The declarations of a topology: each on a channel of its own, so that one that fails or hangs is alone with it. */
export function topologyDeclarations(
  topology: Topology,
  names: QueueNames,
  timeoutMs: number,
): readonly Declaration<AmqpConnection>[] {
  return planTopology(topology).map((step) => ({
    key: step.key,
    needs: needsOf(step),
    gates: false,
    survives: survives(step, topology),
    timeoutMs,
    apply: (connection, signal) => applyStep(step, connection, names, signal),
  }))
}

async function applyStep(
  step: Step,
  connection: AmqpConnection,
  names: QueueNames,
  signal: AbortSignal,
): Promise<void> {
  const guard = await openChannel(connection, signal)
  try {
    await abandonable(declare(step, guard.channel, connection.version, names), signal, () => undefined)
  } finally {
    guard.discard()
  }
}

async function declare(step: Step, channel: Channel, version: string, names: QueueNames): Promise<void> {
  switch (step.kind) {
    case 'exchange': {
      const { type, durable = true, ...settings } = step.spec
      await channel.assertExchange(step.name, type, { ...settings, durable })
      return
    }
    case 'queue': {
      const asked = step.spec.kind === 'ephemeral' ? '' : step.name
      const { queue } = await channel.assertQueue(asked, queueOptions(step.spec, version))
      names.set(step.name, queue)
      return
    }
    case 'binding':
      return bind(step.spec, channel, names)
  }
}

async function bind(spec: BindingSpec, channel: Channel, names: QueueNames): Promise<void> {
  const { exchange, key = '', arguments: args = {} } = spec
  if (spec.queue === undefined) await channel.bindExchange(spec.toExchange, exchange, key, args)
  else await channel.bindQueue(names.get(spec.queue), exchange, key, args)
}
