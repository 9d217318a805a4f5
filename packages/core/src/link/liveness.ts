import { formatEndpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'
import { HaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { type LinkedController, linkedController } from '../util/abort.ts'
import { ActiveTime } from '../util/active-time.ts'
import type { Clock } from '../util/clock.ts'

/** When a quiet connection becomes a dead one. All in milliseconds of attention: our own pauses are not counted. */
export interface Liveness {
  /** Quiet for this long, the server is asked for an answer over the connection. */
  readonly probeAfterMs: number
  /** No answer within this time counts as a miss; half of it later a fresh connection knocks as well. */
  readonly probeTimeoutMs: number
  /**
   * Quiet for this long, the connection is given up even though the server answers elsewhere. Must exceed the
   * interval at which a healthy server sends something by itself (AMQP: half the heartbeat).
   */
  readonly quietMs: number
}

/** What the watchdog has heard, and what it has asked. */
export interface LivenessState {
  /** How long nothing has been received. */
  readonly quietMs: number
  readonly received: number
  readonly probe: ProbeState
  readonly endpointProbe: ProbeState
}

/** A question to the server: not asked, waiting for this long, or how it ended. */
type ProbeState =
  | { readonly kind: 'none' }
  | { readonly kind: 'asked'; readonly waitedMs: number }
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed' }

/** What to do now: keep listening, ask over the connection, knock beside it, or give it up. */
export type LivenessAction = 'wait' | 'probe' | 'probe-endpoint' | 'declare-unresponsive'

const none: ProbeState = { kind: 'none' }

/** Nothing heard yet, nothing asked. */
export function initialLiveness(received: number): LivenessState {
  return { quietMs: 0, received, probe: none, endpointProbe: none }
}

/** Folds one tick: whatever was received ends the silence and every question in it. */
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
 * What the silence calls for. The server is accused when neither the connection nor a knock beside it was answered.
 * A connection whose server still answers knocks is clogged, not dead (a broker that holds back a fast publisher
 * stops reading it): it has until `quietMs`.
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
  /** True while the server asks us to wait: it may leave questions unread, so only `quietMs` counts. */
  readonly suspended: () => boolean
}

// Ten looks in a probe's time: fine enough to lose little of it, coarse enough to cost nothing.
const ticksPerProbe = 10

/** Why a server was given up, and how long it had been quiet. */
interface UnresponsiveServer {
  readonly error: HaError
  readonly quietMs: number
}

/** Listens to a connection until the signal fires; resolves with the accusation when the server has fallen silent. */
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
          probes.start('endpointProbe', (inner) => driver.probeEndpoint(lease.endpoint, inner))
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

// The questions of one silence. An answer to an earlier silence's question concerns nobody.
class Probes {
  readonly #parent: AbortSignal
  #scope: LinkedController
  #states: Partial<Record<ProbeKind, ProbeState>> = {}

  constructor(parent: AbortSignal) {
    this.#parent = parent
    this.#scope = linkedController(parent)
  }

  start(which: ProbeKind, probe: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.#scope
    const note = (answer: ProbeState): void => {
      if (!signal.aborted) this.#states[which] = answer
    }
    probe(signal).then(
      () => note({ kind: 'answered' }),
      () => note({ kind: 'failed' }),
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
    this.#scope.abort(new HaError('aborted', 'the question is no longer asked'))
    this.#scope = linkedController(this.#parent)
  }
}

function onlyQuiet(liveness: Liveness): Liveness {
  return { ...liveness, probeAfterMs: Number.POSITIVE_INFINITY }
}

function declareUnresponsive(lease: Lease<unknown>, state: LivenessState): UnresponsiveServer {
  const endpoint = formatEndpoint(lease.endpoint)
  const quietMs = Math.round(state.quietMs)
  const message = `${endpoint} gave no sign of life for ${quietMs} ms`
  return { error: new HaError('unresponsive', message, { endpoint, retryable: true }), quietMs }
}
