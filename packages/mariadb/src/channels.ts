import { channel } from 'node:diagnostics_channel'
import type { DiagnosticsChannel } from '@ha/core'

/** The diagnostics channels of this package, beside those of the core. Free while nobody subscribes. */
export const mariadbChannels: Readonly<Record<'writer' | 'outcome', DiagnosticsChannel>> = {
  /** `{ client, from, to, error, back }` when writes go to another server; `back` is true for a planned return. */
  writer: channel('ha:mariadb:writer'),
  /** `{ client, name, endpoint, token, fate }`: `fate` is `unknown`, `committed` or `rolled-back`. */
  outcome: channel('ha:mariadb:outcome'),
}
