import type { Clock } from '@ha/core'
import { timerGrainMs } from '@ha/core/driver'

/** When a connection last said and heard something, by the clock. */
export interface Life {
  /** When it last said what keeps the session alive, or certain. */
  readonly sentAtMs: number
  readonly heardAtMs: number
  /** Whether the leader has to know of us all the time: something is held that is only good while that is certain. */
  readonly isCertain: boolean
}

/** What to do at a look: say something, give the server up, or neither; and when to look again. */
export type Look =
  | { readonly kind: 'silent'; readonly quietMs: number }
  | { readonly kind: 'ping' | 'wait'; readonly againMs: number }

/** How long nothing may be sent: a server counts from what it last received. Half of it where that has to be certain. */
export function pingAfterMs(timeoutMs: number, isCertain = false): number {
  return timeoutMs / (isCertain ? 6 : 3)
}

/** How long nothing may be heard: a third of the session is left to find another server. */
export function silentAfterMs(timeoutMs: number): number {
  return (timeoutMs * 2) / 3
}

// A look that is so late was late because we stood still: what the server sent may lie in the socket unread.
function lateMs(timeoutMs: number): number {
  return timeoutMs / 30
}

/** Decides what a look sees. `dueAtMs` is when it was meant to be. */
export function look(
  { sentAtMs, heardAtMs, isCertain }: Life,
  timeoutMs: number,
  dueAtMs: number,
  nowMs: number,
): Look {
  const isLate = nowMs - dueAtMs > lateMs(timeoutMs)
  const quietMs = nowMs - heardAtMs
  const silentInMs = isLate ? lateMs(timeoutMs) : silentAfterMs(timeoutMs) - quietMs
  if (silentInMs < timerGrainMs) return { kind: 'silent', quietMs }
  const everyMs = pingAfterMs(timeoutMs, isCertain)
  const pingInMs = everyMs - (nowMs - sentAtMs)
  return pingInMs < timerGrainMs
    ? { kind: 'ping', againMs: Math.min(silentInMs, everyMs) }
    : { kind: 'wait', againMs: Math.min(silentInMs, pingInMs) }
}

export interface HeartbeatParts {
  readonly clock: Clock
  readonly life: () => Life
  /** What the server granted, in milliseconds. */
  readonly timeoutMs: number
  readonly ping: () => void
  readonly silent: (quietMs: number) => void
}

/** What keeps a session alive. */
export interface Heartbeat {
  /** Looks again at once. */
  hurry(): void
  stop(): void
}

/** Keeps a session alive while nothing is sent, and gives up a server that says nothing. */
export function startHeartbeat({ clock, life, timeoutMs, ping, silent }: HeartbeatParts): Heartbeat {
  let cancel = (): void => undefined
  const lookIn = (ms: number): void => {
    const dueAtMs = clock.now() + ms
    cancel = clock.after(ms, () => act(look(life(), timeoutMs, dueAtMs, clock.now())))
  }
  const act = (seen: Look): void => {
    if (seen.kind === 'silent') {
      silent(seen.quietMs)
      return
    }
    lookIn(seen.againMs)
    // Last: it may end the connection, which stops what was just set.
    if (seen.kind === 'ping') ping()
  }
  lookIn(pingAfterMs(timeoutMs, life().isCertain))
  return {
    hurry: () => {
      cancel()
      lookIn(0)
    },
    stop: () => cancel(),
  }
}
