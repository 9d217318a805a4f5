import type { RabbitTimers } from './timers.ts'

/** The text of `advanced.config`: what `rabbitmq.conf` has no key for. */
export function renderAdvancedConfig(timers: RabbitTimers): string {
  return `[{kernel, [{net_ticktime, ${timers.netTicktimeS}}]}].\n`
}
