/** What the nodes of a cluster say and bear, with nothing left open. */
export interface ServerSettings {
  readonly version: string
  readonly clusterName: string
  readonly heartbeatSec: number
  readonly frameMaxBytes: number
  readonly channelMax: number
  readonly maxMessageBytes: number
  readonly consumerTimeoutMs: number
}
