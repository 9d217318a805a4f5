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
export interface Silence {
  /** How long nothing has been received. */
  readonly quietMs: number
  readonly received: number
  readonly probe: Question
  readonly knock: Question
}

/** A question to the server: not asked, waiting for this long, or how it ended. */
export type Question =
  | { readonly kind: 'none' }
  | { readonly kind: 'asked'; readonly waitedMs: number }
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed' }

/** What to do now: keep listening, ask over the connection, knock beside it, or give it up. */
export type Action = 'listen' | 'probe' | 'knock' | 'accuse'

const none: Question = { kind: 'none' }

/** Nothing heard yet, nothing asked. */
export function startListening(received: number): Silence {
  return { quietMs: 0, received, probe: none, knock: none }
}

/** Folds one tick: whatever was received ends the silence and every question in it. */
export function listen(before: Silence, received: number, attentiveMs: number): Silence {
  if (received !== before.received) return startListening(received)
  return {
    quietMs: before.quietMs + attentiveMs,
    received,
    probe: waited(before.probe, attentiveMs),
    knock: waited(before.knock, attentiveMs),
  }
}

/**
 * What the silence calls for. The server is accused when neither the connection nor a knock beside it was answered.
 * A connection whose server still answers knocks is clogged, not dead (a broker that holds back a fast publisher
 * stops reading it): it has until `quietMs`.
 */
export function judge(silence: Silence, liveness: Liveness): Action {
  if (silence.quietMs >= liveness.quietMs) return 'accuse'
  if (silence.probe.kind === 'none') return silence.quietMs >= liveness.probeAfterMs ? 'probe' : 'listen'
  if (silence.knock.kind === 'none')
    return overdue(silence.probe, liveness.probeTimeoutMs / 2) ? 'knock' : 'listen'
  const missed = overdue(silence.probe, liveness.probeTimeoutMs)
  const dead = silence.knock.kind === 'failed' || overdue(silence.knock, liveness.probeTimeoutMs / 2)
  return missed && dead ? 'accuse' : 'listen'
}

function waited(question: Question, ms: number): Question {
  return question.kind === 'asked' ? { kind: 'asked', waitedMs: question.waitedMs + ms } : question
}

function overdue(question: Question, limitMs: number): boolean {
  return question.kind === 'failed' || (question.kind === 'asked' && question.waitedMs >= limitMs)
}
