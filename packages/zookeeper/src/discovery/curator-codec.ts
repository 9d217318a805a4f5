import {
  type Instance,
  type InstanceCodec,
  type InstanceStatus,
  type UriPart,
  uriParts,
  uriTemplate,
} from './instance.ts'

/** The options of {@link curatorCodec}. */
export interface CuratorCodecOptions {
  /**
   * The Java class of the payload, written as `@class`; Java readers must have it. Default: none, which readers with the
   * payload class `Object` accept, and all readers while there is neither payload nor metadata.
   */
  readonly payloadClass?: string | undefined
}

/**
 * The JSON format of Curator's x-discovery. The status is in the payload's metadata, as in Spring Cloud, and as
 * `enabled: false` for Curator; metadata and payload are one object in the node.
 */
export function curatorCodec({ payloadClass }: CuratorCodecOptions = {}): InstanceCodec {
  return {
    encode: (instance) => JSON.stringify(written(instance, payloadClass)),
    decode: (data) => read(parsed(data.toString('utf8'))),
  }
}

/** {@link curatorCodec} with the payload class that Spring Cloud Zookeeper requires. */
export function springCodec(): InstanceCodec {
  return curatorCodec({ payloadClass: 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance' })
}

function written(instance: Instance, payloadClass: string | undefined): Fields {
  const { name, id, address, port = null, sslPort = null, registeredAtMs, uriSpec } = instance
  return {
    name,
    id,
    address,
    port,
    sslPort,
    payload: payloadOf(instance, payloadClass),
    registrationTimeUTC: registeredAtMs,
    serviceType: 'DYNAMIC',
    uriSpec: uriSpec === undefined ? null : { parts: uriParts(uriSpec) },
    // Curator before 2.9 rejects unknown fields, so this one is written only when needed.
    ...(instance.status === 'up' ? {} : { enabled: false }),
  }
}

function payloadOf(instance: Instance, payloadClass: string | undefined): unknown {
  const { id, name, status, payload } = instance
  const metadata = status === 'up' ? instance.metadata : { ...instance.metadata, [statusKey]: outOfService }
  if (payloadClass === undefined && Object.keys(metadata).length === 0) return payload ?? null
  const own = isFields(payload) ? payload : {}
  return payloadClass === undefined
    ? { ...own, metadata }
    : { '@class': payloadClass, id, name, ...own, metadata }
}

function read(fields: unknown): Instance | undefined {
  if (!isFields(fields)) return undefined
  const { name, id, address, payload } = fields
  if (!isName(name) || !isName(id) || typeof address !== 'string') return undefined
  const { [statusKey]: status, ...metadata } = metadataOf(payload)
  return {
    name,
    id,
    address,
    port: portOf(fields['port']),
    sslPort: portOf(fields['sslPort']),
    status: statusOf(status, fields['enabled']),
    metadata,
    payload: ownPayload(payload),
    uriSpec: templateOf(fields['uriSpec']),
    registeredAtMs: typeof fields['registrationTimeUTC'] === 'number' ? fields['registrationTimeUTC'] : 0,
  }
}

// As in Spring Cloud: a missing status means UP, and any other value than UP means out of service.
function statusOf(status: string | undefined, enabled: unknown): InstanceStatus {
  const up = (status === undefined || status === '' || status.toUpperCase() === 'UP') && enabled !== false
  return up ? 'up' : 'out-of-service'
}

function metadataOf(payload: unknown): Readonly<Record<string, string>> {
  const metadata = isFields(payload) ? payload['metadata'] : undefined
  return isFields(metadata) ? Object.fromEntries(Object.entries(metadata).filter(isTextEntry)) : {}
}

function ownPayload(payload: unknown): unknown {
  if (!isFields(payload)) return payload ?? undefined
  const { metadata, ...own } = payload
  return Object.keys(own).length === 0 ? undefined : own
}

function templateOf(uriSpec: unknown): string | undefined {
  const parts = isFields(uriSpec) ? uriSpec['parts'] : undefined
  return Array.isArray(parts) ? uriTemplate(parts.filter(isPart)) : undefined
}

function portOf(value: unknown): number | undefined {
  return Number.isInteger(value) ? Number(value) : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller counts a node without JSON as undecodable.
    return undefined
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isTextEntry(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === 'string'
}

function isPart(value: unknown): value is UriPart {
  return isFields(value) && typeof value['value'] === 'string' && typeof value['variable'] === 'boolean'
}

type Fields = Readonly<Record<string, unknown>>

// Spring Cloud's key and value.
const statusKey = 'instance_status'
const outOfService = 'OUT_OF_SERVICE'
