import type { Clock, Declaration, HaError } from '@ha/core'
import { asError, raceAbort } from '@ha/core/driver'
import { openChannel } from '../amqp/channel.ts'
import type { AmqpConnection } from '../amqp/connection.ts'
import type { Channel } from '../amqp/types.ts'
import { classify, replyCode } from '../amqp/verdicts.ts'
import { rabbitError } from '../codes.ts'
import { needsOf, planTopology, queueOptions, type Step, survives } from './plan.ts'
import type { QueueNames } from './queue-names.ts'
import type { BindingSpec, Topology } from './spec.ts'

export interface Restoring {
  readonly names: QueueNames
  readonly clock: Clock
  /** How long one declaration may take. */
  readonly timeoutMs: number
  readonly onMissing: (missing: Missing) => void
}

/** A binding that found one of its ends missing. */
export interface Missing {
  readonly binding: string
  readonly needs: readonly string[]
  readonly triedAtMs: number
  readonly error: HaError
}

/** The declarations of a topology: each on a channel of its own, so that one that fails or hangs is alone with it. */
export function topologyDeclarations(
  topology: Topology,
  restoring: Restoring,
): readonly Declaration<AmqpConnection>[] {
  return planTopology(topology).map((step) => ({
    key: step.key,
    needs: needsOf(step),
    gates: false,
    survives: survives(step, topology),
    timeoutMs: restoring.timeoutMs,
    apply: (connection, signal) => applyStep(step, connection, restoring, signal),
  }))
}

async function applyStep(
  step: Step,
  connection: AmqpConnection,
  { names, clock, onMissing }: Restoring,
  signal: AbortSignal,
): Promise<void> {
  const triedAtMs = clock.now()
  const guard = await openChannel(connection, signal)
  try {
    await raceAbort(declare(step, guard.channel, connection.version, names), signal, () => undefined)
  } catch (thrown) {
    const cause = asError(thrown)
    if (signal.aborted || step.kind !== 'binding' || !isMissing(cause)) throw cause
    const error = missingEnd(cause)
    onMissing({ binding: step.key, needs: needsOf(step), triedAtMs, error })
    throw error
  } finally {
    guard.discard()
  }
}

// A queue whose node is away is a 404 as well, which passes by itself.
function isMissing(cause: Error): boolean {
  return replyCode(cause) === 404 && !classify(cause).transient
}

// Known to be there from an earlier connection, both ends are declared beside their binding. A broker that has lost one
// of them hears of the binding first: it is no conflict, but something to do again.
function missingEnd(cause: Error): HaError {
  const code = cause.message.includes('no exchange') ? 'exchange-missing' : 'queue-missing'
  return rabbitError(code, cause.message, { cause, serverCode: 404, retryable: true })
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
