import type { RabbitTimers } from './timers.ts'

/** The text of `advanced.config`: what `rabbitmq.conf` has no key for. */
export function renderAdvancedConfig(timers: RabbitTimers): string {
  const { netTicktimeS, netSetuptimeS } = timers
  return `[{kernel, [{net_ticktime, ${netTicktimeS}}, {net_setuptime, ${netSetuptimeS}}]}].\n`
}
