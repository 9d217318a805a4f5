import { channel } from 'node:diagnostics_channel'
import type { DiagnosticsChannel } from '@ha/core'

/** The diagnostics channels of this package, beside those of the core. Free while nobody subscribes. */
export const rabbitChannels: Readonly<Record<'laneLost', DiagnosticsChannel>> = {
  /** `{ lane, how, error, connectionOver }` when a publisher's channel is over, refuses messages or hangs. */
  laneLost: channel('ha:rabbit:lane-lost'),
}
