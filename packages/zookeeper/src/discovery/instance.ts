import { randomUUID } from 'node:crypto'
import { checked, count, type OptionTable, optional } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import type { Bytes } from '../node.ts'
import { resolveOptions } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'

/** Whether an instance is in service, as set by its owner. */
export type InstanceStatus = 'up' | 'out-of-service'

/** A running instance of a service, as listed in the registry. */
export interface Instance {
  /** The service that it belongs to. */
  readonly name: string
  /** The name of the instance, unique within the service. */
  readonly id: string
  /** The host name or IP address. */
  readonly address: string
  /** The port without TLS. */
  readonly port: number | undefined
  /** The port with TLS. */
  readonly sslPort: number | undefined
  /** An instance that is `out-of-service` is listed and never picked. */
  readonly status: InstanceStatus
  /** Short texts about the instance, such as its `zone`. */
  readonly metadata: Readonly<Record<string, string>>
  /** Further data as JSON; for a Java peer, the fields of its payload other than `metadata`. */
  readonly payload: unknown
  /** The template of its URI, such as `{scheme}://{address}:{port}`. */
  readonly uriSpec: string | undefined
  /** The time of registration by the clock of the instance, in milliseconds since 1970. */
  readonly registeredAtMs: number
}

/** The description of an instance to register. */
export interface InstanceSpec {
  /** The service that it belongs to. */
  readonly name: string
  /** Default: a new UUID. `takeover` requires an id that stays the same across restarts. */
  readonly id?: string | undefined
  /** The host name or IP address at which clients reach the instance. */
  readonly address: string
  /** The port without TLS. Default: none. */
  readonly port?: number | undefined
  /** The port with TLS. Default: none. */
  readonly sslPort?: number | undefined
  /** Default: none. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Further data that JSON can represent. Default: none. */
  readonly payload?: Readonly<Record<string, unknown>> | undefined
  /** Default `{scheme}://{address}:{port}`. */
  readonly uriSpec?: string | undefined
}

/** The changes to a registered instance; fields that are not given stay the same. */
export type InstancePatch = Partial<Omit<InstanceSpec, 'name' | 'id'>>

/** The instance for a description. Throws `config-invalid`, with all problems in the message. */
export function resolveInstance(spec: InstanceSpec, registeredAtMs: number): Instance {
  return { ...resolveDescription(spec), status: 'up', registeredAtMs }
}

/** The instance with the changes of a patch; fields that the patch does not give stay the same. */
export function patchInstance(
  { status, registeredAtMs, ...before }: Instance,
  patch: InstancePatch,
): Instance {
  if (!isObject(patch))
    throw new ZookeeperError('config-invalid', 'update: expected an object with the changes')
  const { name, id } = before
  return { ...resolveDescription({ ...before, ...patch, name, id }), status, registeredAtMs }
}

type InstanceDescription = Omit<Instance, 'status' | 'registeredAtMs'>

function resolveDescription(spec: unknown): InstanceDescription {
  return resolveOptions(specTable, spec, 'instance')
}

/** The template for instances without their own. */
const defaultUriSpec = '{scheme}://{address}:{port}'

const port = { default: 1, min: 1, max: 65_535 }

const specTable: OptionTable<InstanceDescription> = {
  name: checked(checkNodeName, ''),
  id: {
    read: (value, path, problems) => checked(checkNodeName, '').read(value ?? randomUUID(), path, problems),
  },
  address: checked(readAddress, ''),
  port: optional(count(port)),
  sslPort: optional(count(port)),
  metadata: checked(readMetadata, {}),
  payload: checked(readPayload, undefined),
  uriSpec: checked((value, path) => readUriSpec(value ?? defaultUriSpec, path), defaultUriSpec),
}

function readAddress(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ZookeeperError('config-invalid', `${path}: expected the host name or IP address of the instance`)
}

function readMetadata(value: unknown, path: string): Instance['metadata'] {
  if (value === undefined) return {}
  if (isObject(value) && Object.values(value).every((text) => typeof text === 'string')) {
    return Object.freeze({ ...value }) as Instance['metadata']
  }
  throw new ZookeeperError('config-invalid', `${path}: expected an object whose values are texts`)
}

function readPayload(value: unknown, path: string): unknown {
  if (value === undefined) return undefined
  if (!isObject(value)) throw new ZookeeperError('config-invalid', `${path}: expected an object`)
  if (!('metadata' in value)) return value
  throw new ZookeeperError(
    'config-invalid',
    `${path}.metadata: not allowed in the payload; use 'instance.metadata'`,
  )
}

function readUriSpec(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ZookeeperError('config-invalid', `${path}: expected a text such as '${defaultUriSpec}'`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One part of a URI template: literal text, or the name of a field. */
export interface UriPart {
  readonly value: string
  readonly variable: boolean
}

/** The parts of a template such as `{scheme}://{address}:{port}`. An unmatched brace is literal text. */
export function uriParts(template: string): readonly UriPart[] {
  const parts: UriPart[] = []
  for (const [piece] of template.matchAll(/\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (piece.length > 1 && piece.startsWith('{'))
      parts.push({ value: piece.slice(1, -1).trim(), variable: true })
    else parts.push(braces.get(piece) ?? { value: piece, variable: false })
  }
  return parts
}

/** The template with these parts. */
export function uriTemplate(parts: readonly UriPart[]): string {
  return parts.map(({ value, variable }) => (variable ? `{${value}}` : value)).join('')
}

/** The URI of an instance by its template; the default template is `{scheme}://{address}:{port}`. */
export function instanceUri(instance: Instance): string {
  const fields = fieldsOf(instance)
  return uriParts(instance.uriSpec ?? defaultUriSpec)
    .map(({ value, variable }) => (variable ? (fields.get(value) ?? '') : value))
    .join('')
}

// Curator's field names; Curator represents a literal brace as a field as well.
const braces: ReadonlyMap<string, UriPart> = new Map([
  ['{', { value: '[', variable: true }],
  ['}', { value: ']', variable: true }],
])

function fieldsOf(instance: Instance): ReadonlyMap<string, string> {
  const { name, id, address, port, sslPort, registeredAtMs } = instance
  return new Map([
    ['scheme', sslPort === undefined ? 'http' : 'https'],
    ['name', name],
    ['id', id],
    ['address', address.includes(':') ? `[${address}]` : address],
    ['port', String(port ?? sslPort ?? '')],
    ['ssl-port', String(sslPort ?? '')],
    ['registration-time-utc', String(registeredAtMs)],
    ['service-type', 'dynamic'],
    ['[', '{'],
    [']', '}'],
  ])
}

/** Returns the text if it is a valid name of a node. Otherwise throws an error that starts with `what`. */
export function checkNodeName(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('/')) {
    throw new ZookeeperError('config-invalid', `${what}: expected the name of a node, without a slash`)
  }
  checkPath(`/${value}`, what)
  return value
}

/** The format of instances in the registry. */
export interface InstanceCodec {
  /** The data of the node of an instance. */
  encode(instance: Instance): Bytes
  /** Undefined when the data do not contain an instance. Such a node, or one for which it throws, is skipped and counted. */
  decode(data: Buffer): Instance | undefined
}
