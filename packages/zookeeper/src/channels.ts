import { channel } from 'node:diagnostics_channel'
import type { DiagnosticsChannel } from '@ha/core'

/** The diagnostics channels of this package, beside those of the core. Free while nobody subscribes. */
export const zookeeperChannels: Readonly<Record<'session' | 'outcome', DiagnosticsChannel>> = {
  /** `{ id, epoch, timeoutMs, error }`: a session has begun, or is over when there is an `error`. */
  session: channel('ha:zookeeper:session'),
  /** `{ name, path, endpoint, error }`: an operation ended with `outcome: 'unknown'`. */
  outcome: channel('ha:zookeeper:outcome'),
}
