import { formatEndpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'
import { HaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { type LinkedController, linkedController } from '../util/abort.ts'
import { ActiveTime } from '../util/active-time.ts'
import type { Clock } from '../util/clock.ts'

/** When a quiet server counts as unresponsive. All in milliseconds of active time: our own pauses do not count. */
export interface Liveness {
  /** Quiet time after which the server is probed over the connection. */
  readonly probeAfterMs: number
  /** The deadline of that probe; after half of it, the endpoint is probed over a new connection as well. */
  readonly probeTimeoutMs: number
  /**
   * Quiet time after which the connection is given up even though the endpoint answers. Must exceed the interval at
   * which a healthy server sends something by itself (AMQP: half the heartbeat).
   */
  readonly quietMs: number
}

/** How long a connection has been quiet, and the probes of this quiet period. */
export interface LivenessState {
  /** How long nothing has been received, in milliseconds of active time. */
  readonly quietMs: number
  readonly received: number
  readonly probe: ProbeState
  readonly endpointProbe: ProbeState
}

/** A probe: not sent, waiting for this long, or how it ended. */
type ProbeState =
  | { readonly kind: 'none' }
  | { readonly kind: 'asked'; readonly waitedMs: number }
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed' }

/** What to do now: wait, probe over the connection, probe the endpoint, or declare the server unresponsive. */
export type LivenessAction = 'wait' | 'probe' | 'probe-endpoint' | 'declare-unresponsive'

const none: ProbeState = { kind: 'none' }

/** The state right after something was received. */
export function initialLiveness(received: number): LivenessState {
  return { quietMs: 0, received, probe: none, endpointProbe: none }
}

/** Folds one tick into the state: received bytes end the quiet period and its probes. */
export function afterTick(before: LivenessState, received: number, activeMs: number): LivenessState {
  if (received !== before.received) return initialLiveness(received)
  return {
    quietMs: before.quietMs + activeMs,
    received,
    probe: waited(before.probe, activeMs),
    endpointProbe: waited(before.endpointProbe, activeMs),
  }
}

/**
 * Decides what a quiet period calls for. The server is unresponsive when neither the connection nor the endpoint was
 * answered. A connection whose endpoint still answers may be congested (a broker under flow control stops reading from a
 * fast publisher): it has until `quietMs`, also when the server that answered could not be identified. The answer of
 * another server counts as none.
 */
export function nextAction(state: LivenessState, liveness: Liveness): LivenessAction {
  if (state.quietMs >= liveness.quietMs) return 'declare-unresponsive'
  if (state.probe.kind === 'none') return state.quietMs >= liveness.probeAfterMs ? 'probe' : 'wait'
  if (state.endpointProbe.kind === 'none')
    return overdue(state.probe, liveness.probeTimeoutMs / 2) ? 'probe-endpoint' : 'wait'
  const missed = overdue(state.probe, liveness.probeTimeoutMs)
  const dead =
    state.endpointProbe.kind === 'failed' || overdue(state.endpointProbe, liveness.probeTimeoutMs / 2)
  return missed && dead ? 'declare-unresponsive' : 'wait'
}

function waited(probe: ProbeState, ms: number): ProbeState {
  return probe.kind === 'asked' ? { kind: 'asked', waitedMs: probe.waitedMs + ms } : probe
}

function overdue(probe: ProbeState, limitMs: number): boolean {
  return probe.kind === 'failed' || (probe.kind === 'asked' && probe.waitedMs >= limitMs)
}

interface LivenessDeps<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
  readonly liveness: Liveness
  readonly lease: Lease<C>
  /** Whether the server asked the client to pause: it may not read probes then, so only `quietMs` counts. */
  readonly suspended: () => boolean
}

// Ten ticks per probe timeout: precise to a tenth of it, at a negligible cost.
const ticksPerProbe = 10

/** The error for an unresponsive server, and how long it had been quiet. */
interface UnresponsiveServer {
  readonly error: HaError
  readonly quietMs: number
}

/** Watches a connection until the signal fires; resolves when the server is unresponsive. */
export async function watchLiveness<C>(
  deps: LivenessDeps<C>,
  signal: AbortSignal,
): Promise<UnresponsiveServer> {
  const { clock, liveness, driver, lease } = deps
  const tickMs = liveness.probeTimeoutMs / ticksPerProbe
  const activeTime = new ActiveTime(clock, tickMs)
  const probes = new Probes(signal)
  let state = initialLiveness(driver.received(lease.connection))
  try {
    for (;;) {
      await clock.sleep(tickMs, signal)
      const next = afterTick(state, driver.received(lease.connection), activeTime.tick())
      if (next.quietMs === 0) probes.drop()
      state = { ...next, ...probes.states(next) }
      switch (nextAction(state, deps.suspended() ? onlyQuiet(liveness) : liveness)) {
        case 'wait':
          break
        case 'probe':
          state = { ...state, probe: asked }
          probes.start('probe', (inner) => driver.probe(lease.connection, inner))
          break
        case 'probe-endpoint':
          state = { ...state, endpointProbe: asked }
          probes.start('endpointProbe', (inner) =>
            driver.probeEndpoint(lease.endpoint, inner, lease.connection),
          )
          break
        case 'declare-unresponsive':
          return declareUnresponsive(lease, state)
      }
    }
  } finally {
    probes.drop()
  }
}

const asked: ProbeState = { kind: 'asked', waitedMs: 0 }

type ProbeKind = 'probe' | 'endpointProbe'

// The probes of one quiet period. Answers to probes of an earlier period are ignored.
class Probes {
  readonly #parent: AbortSignal
  #scope: LinkedController
  #states: Partial<Record<ProbeKind, ProbeState>> = {}

  constructor(parent: AbortSignal) {
    this.#parent = parent
    this.#scope = linkedController(parent)
  }

  start(which: ProbeKind, probe: (signal: AbortSignal) => Promise<unknown>): void {
    const { signal } = this.#scope
    const settle = (answer: ProbeState): void => {
      if (!signal.aborted) this.#states[which] = answer
    }
    probe(signal).then(
      (answer) => settle({ kind: answer === 'another-server' ? 'failed' : 'answered' }),
      () => settle({ kind: 'failed' }),
    )
  }

  states(state: LivenessState): Pick<LivenessState, ProbeKind> {
    return {
      probe: this.#states.probe ?? state.probe,
      endpointProbe: this.#states.endpointProbe ?? state.endpointProbe,
    }
  }

  drop(): void {
    this.#states = {}
    this.#scope.abort(new HaError('aborted', 'the probe was abandoned'))
    this.#scope = linkedController(this.#parent)
  }
}

function onlyQuiet(liveness: Liveness): Liveness {
  return { ...liveness, probeAfterMs: Number.POSITIVE_INFINITY }
}

function declareUnresponsive(lease: Lease<unknown>, state: LivenessState): UnresponsiveServer {
  const endpoint = formatEndpoint(lease.endpoint)
  const quietMs = Math.round(state.quietMs)
  const message = `${endpoint} sent nothing for ${quietMs} ms`
  return { error: new HaError('unresponsive', message, { endpoint, retryable: true }), quietMs }
}
