import { formatEndpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'
import { HaError } from '../errors/ha-error.ts'
import { ActiveTime } from '../runtime/attention.ts'
import type { Clock } from '../runtime/clock.ts'
import { type LinkedController, linkedController } from '../runtime/scope.ts'
import type { Lease } from '../source.ts'
import { judge, type Liveness, listen, type Question, type Silence, startListening } from './silence.ts'

interface Watched<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
  readonly liveness: Liveness
  readonly lease: Lease<C>
  /** True while the server asks us to wait: it may leave questions unread, so only `quietMs` counts. */
  readonly suspended: () => boolean
}

// Ten looks in a probe's time: fine enough to lose little of it, coarse enough to cost nothing.
const looksPerProbe = 10

/** Why a server was given up, and how long it had been quiet. */
export interface Accusation {
  readonly error: HaError
  readonly quietMs: number
}

/** Listens to a connection until the signal fires; resolves with the accusation when the server has fallen silent. */
export async function watchSilence<C>(watched: Watched<C>, signal: AbortSignal): Promise<Accusation> {
  const { clock, liveness, driver, lease } = watched
  const tickMs = liveness.probeTimeoutMs / looksPerProbe
  const attention = new ActiveTime(clock, tickMs)
  const questions = new Questions(signal)
  let silence = startListening(driver.received(lease.connection))
  try {
    for (;;) {
      await clock.sleep(tickMs, signal)
      const heard = listen(silence, driver.received(lease.connection), attention.tick())
      if (heard.quietMs === 0) questions.drop()
      silence = { ...heard, ...questions.answers(heard) }
      switch (judge(silence, watched.suspended() ? onlyQuiet(liveness) : liveness)) {
        case 'listen':
          break
        case 'probe':
          silence = { ...silence, probe: asked }
          questions.ask('probe', (inner) => driver.probe(lease.connection, inner))
          break
        case 'knock':
          silence = { ...silence, knock: asked }
          questions.ask('knock', (inner) => driver.probeEndpoint(lease.endpoint, inner))
          break
        case 'accuse':
          return accusation(lease, silence)
      }
    }
  } finally {
    questions.drop()
  }
}

const asked: Question = { kind: 'asked', waitedMs: 0 }

type Which = 'probe' | 'knock'

// The questions of one silence. An answer to an earlier silence's question concerns nobody.
class Questions {
  readonly #parent: AbortSignal
  #scope: LinkedController
  #answers: Partial<Record<Which, Question>> = {}

  constructor(parent: AbortSignal) {
    this.#parent = parent
    this.#scope = linkedController(parent)
  }

  ask(which: Which, question: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = this.#scope
    const note = (answer: Question): void => {
      if (!signal.aborted) this.#answers[which] = answer
    }
    question(signal).then(
      () => note({ kind: 'answered' }),
      () => note({ kind: 'failed' }),
    )
  }

  answers(silence: Silence): Pick<Silence, Which> {
    return { probe: this.#answers.probe ?? silence.probe, knock: this.#answers.knock ?? silence.knock }
  }

  drop(): void {
    this.#answers = {}
    this.#scope.abort(new HaError('aborted', 'the question is no longer asked'))
    this.#scope = linkedController(this.#parent)
  }
}

function onlyQuiet(liveness: Liveness): Liveness {
  return { ...liveness, probeAfterMs: Number.POSITIVE_INFINITY }
}

function accusation(lease: Lease<unknown>, silence: Silence): Accusation {
  const endpoint = formatEndpoint(lease.endpoint)
  const quietMs = Math.round(silence.quietMs)
  const message = `${endpoint} gave no sign of life for ${quietMs} ms`
  return { error: new HaError('unresponsive', message, { endpoint, retryable: true }), quietMs }
}
