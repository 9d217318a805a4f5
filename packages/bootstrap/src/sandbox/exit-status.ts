import { constants } from 'node:os'

/** The exit status by which a shell tells how a command ended. */
export function exitStatus(status: number | null, signal: NodeJS.Signals | null): number {
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal])
}
