import type { Clock, Declaration, HaError, Link } from '@ha/core'
import { asError, raceAbort } from '@ha/core/driver'
import { openChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { classify, replyCode } from '../driver/error-classification.ts'
import type { Channel } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import {
  type BindingSpec,
  needsOf,
  queueOptions,
  survives,
  type Topology,
  type TopologyStep,
  topologySteps,
} from './topology.ts'

interface DeclareDeps {
  readonly names: QueueNames
  readonly clock: Clock
  /** How long one declaration may take. */
  readonly timeoutMs: number
  readonly onMissing: (missing: MissingEnd) => void
}

/** A binding that found one of its ends missing. */
export interface MissingEnd {
  readonly binding: string
  readonly needs: readonly string[]
  readonly triedAtMs: number
  readonly error: HaError
}

/** The declarations of a topology: each on a channel of its own, so that one that fails or hangs is alone with it. */
export function topologyDeclarations(
  topology: Topology,
  restoring: DeclareDeps,
): readonly Declaration<AmqpConnection>[] {
  return topologySteps(topology).map((step) => ({
    key: step.key,
    needs: needsOf(step),
    gates: false,
    survives: survives(step, topology),
    timeoutMs: restoring.timeoutMs,
    apply: (connection, signal) => applyStep(step, connection, restoring, signal),
  }))
}

async function applyStep(
  step: TopologyStep,
  connection: AmqpConnection,
  { names, clock, onMissing }: DeclareDeps,
  signal: AbortSignal,
): Promise<void> {
  const triedAtMs = clock.now()
  const guard = await openChannel(connection, signal)
  try {
    await raceAbort(declare(step, guard.channel, connection.version, names), signal, () => undefined)
  } catch (thrown) {
    const cause = asError(thrown)
    if (signal.aborted || step.kind !== 'binding' || !isMissing(cause)) throw cause
    const error = missingEndError(cause)
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
function missingEndError(cause: Error): HaError {
  const code = cause.message.includes('no exchange') ? 'exchange-missing' : 'queue-missing'
  return rabbitError(code, cause.message, { cause, serverCode: 404, retryable: true })
}

async function declare(
  step: TopologyStep,
  channel: Channel,
  version: string,
  names: QueueNames,
): Promise<void> {
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

/** What the queues of the topology are called on the broker: a server-named one has a new name on each connection. */
export class QueueNames {
  readonly #names = new Map<string, string>()

  set(name: string, onBroker: string): void {
    this.#names.set(name, onBroker)
  }

  /** The broker's name of a queue; a queue that is not in the topology is called what it is called. */
  get(name: string): string {
    return this.#names.get(name) ?? name
  }
}

type Ledger = Link<AmqpConnection>['desiredState']

/** Waits until a declaration is settled; `onWait` is called before each wait. Rejects when it was refused for good. */
export async function whenSettled(
  ledger: Ledger,
  key: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<void> {
  while (!ledger.isSettled(key)) {
    onWait()
    await ledger.changed.wait(signal)
  }
  await ledger.whenSettled(key, signal)
}

/** What the last try of a declaration failed with, or undefined when none did, or when another try is under way. */
export function lastFailure(ledger: Ledger, key: string): Error | undefined {
  const standing = ledger.standing(key)
  return standing?.kind === 'retrying' ? standing.error : undefined
}
