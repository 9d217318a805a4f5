import { channel } from 'node:diagnostics_channel'

const failures = channel('ha:listener-failed')

/**
 * Says that a listener or callback of the user threw: on the diagnostics channel `ha:listener-failed` when somebody
 * listens there, else as a process warning. It never throws and never ends the process.
 */
export function listenerFailed(name: string, error: unknown): void {
  if (failures.hasSubscribers) {
    failures.publish({ event: name, error })
    return
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(`a listener of '${name}' failed: ${detail}`, { code: 'HA_LISTENER_FAILED' })
}
