/** What an instance says of itself: whether it wants to be used. */
export type InstanceStatus = 'up' | 'out-of-service'

/** One running instance of a service, as it stands in the registry. */
export interface Instance {
  /** The service that it belongs to. */
  readonly name: string
  /** Its own name among the instances of the service. */
  readonly id: string
  readonly address: string
  readonly port: number | undefined
  readonly sslPort: number | undefined
  /** `out-of-service` is listed and never picked. */
  readonly status: InstanceStatus
  /** Short texts about it, such as `zone`. */
  readonly metadata: Readonly<Record<string, string>>
  /** What else its owner had to say, as JSON: for a Java peer, the fields of its payload beside `metadata`. */
  readonly payload: unknown
  /** How its address is written, such as `{scheme}://{address}:{port}`. */
  readonly uriSpec: string | undefined
  /** When it was registered by its own clock, in milliseconds since 1970. */
  readonly registeredAtMs: number
}

/** What a user says of an instance that is to be registered. */
export interface InstanceSpec {
  /** The service that it belongs to. */
  readonly name: string
  /** Default: a new UUID. An id that stays the same across restarts is what `takeover` needs. */
  readonly id?: string | undefined
  /** Where others reach it: a name or an address. */
  readonly address: string
  readonly port?: number | undefined
  readonly sslPort?: number | undefined
  /** Default: none. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Whatever else is to be known of it, as JSON can carry it. Default: nothing. */
  readonly payload?: Readonly<Record<string, unknown>> | undefined
  /** Default `{scheme}://{address}:{port}`. */
  readonly uriSpec?: string | undefined
}

/** What can be changed about an instance while it is registered; what is not named stays. */
export type InstancePatch = Partial<Omit<InstanceSpec, 'name' | 'id'>>
