import { HaError } from '../errors/ha-error.ts'
import { memberAt, type View } from '../model/view.ts'
import type { Host } from './host.ts'

/** Why a connection to this host has to be waited for. */
export function whyWaiting<C>(host: Host<C>, view: View): HaError {
  const { name, connecting, trouble } = host
  const unreachable = (message: string, cause?: Error): HaError =>
    new HaError('unreachable', message, { endpoint: name, cause, retryable: true })
  const member = memberAt(view, host.endpoint)
  if (!host.usable) {
    const { health = 'unknown', lastError } = member ?? {}
    return unreachable(
      `${name} is ${health}${lastError === undefined ? '' : `: ${lastError.message}`}`,
      lastError,
    )
  }
  if (trouble !== undefined) return unreachable(`no connection to ${name}: ${trouble.message}`, trouble)
  if (host.load().free > 0)
    return unreachable(`a connection to ${name} is not ready yet; ${connecting} are being made`)
  return host.exhausted('no connection was given back in time')
}
