import { labError } from '../model/codes.ts'

/** A RabbitMQ version, as far as decisions need it. */
export interface RabbitVersion {
  readonly major: number
  readonly minor: number
  readonly text: string
}

/** Reads `3.10.8` or `4.0.5-rc.1`. */
export function parseRabbitVersion(text: string): RabbitVersion {
  const match = /^(\d+)\.(\d+)\.\d+/.exec(text)
  if (match === null) {
    throw labError('config-invalid', `'${text}' is not a RabbitMQ version; expected one like 3.10.8`)
  }
  return { major: Number(match[1]), minor: Number(match[2]), text }
}

// From which version on a feature is gone. Sources: the schemas and modules of the server at its release tags
// 3.10.8, 3.13.7, 4.0.5, 4.2.0 and 4.3.5.
const goneSince = {
  /** Policies with `ha-mode`; 4.0 answers 400 to them. */
  mirroring: [4, 0],
  /** A blank node that finds no peer waits 10 x 500 ms before it forms a cluster; 3.13 elects the oldest at once. */
  patientSeed: [3, 13],
  /** `cluster_partition_handling` has an effect; from 4.3 on it is accepted and ignored. */
  partitionHandling: [4, 3],
} as const

/** What a version may have or have lost. */
export type RabbitFeature = keyof typeof goneSince

/** Whether the version still has the feature. */
export function hasFeature(version: RabbitVersion, feature: RabbitFeature): boolean {
  const [major, minor] = goneSince[feature]
  return version.major < major || (version.major === major && version.minor < minor)
}
