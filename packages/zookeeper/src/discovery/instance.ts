import { randomUUID } from 'node:crypto'
import { checked, count, type OptionTable } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import type { Bytes } from '../node.ts'
import { resolveOptions } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'
import { optional } from './optional.ts'

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

/** The instance that a spec describes; throws `config-invalid` with all that is wrong about it. */
export function resolveInstance(spec: InstanceSpec, registeredAtMs: number): Instance {
  return { ...resolveDescription(spec), status: 'up', registeredAtMs }
}

/** The instance with what a patch says about it; what the patch does not name stays. */
export function patchInstance(
  { status, registeredAtMs, ...before }: Instance,
  patch: InstancePatch,
): Instance {
  const { name, id } = before
  return { ...resolveDescription({ ...before, ...patch, name, id }), status, registeredAtMs }
}

type InstanceDescription = Omit<Instance, 'status' | 'registeredAtMs'>

function resolveDescription(spec: unknown): InstanceDescription {
  return resolveOptions(specTable, spec, 'instance')
}

/** How an address is written unless an instance says otherwise. */
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
  throw new ZookeeperError(
    'config-invalid',
    `${path}: expected the name or address at which others reach the instance`,
  )
}

function readMetadata(value: unknown, path: string): Instance['metadata'] {
  if (value === undefined) return {}
  if (isObject(value) && Object.values(value).every((text) => typeof text === 'string')) {
    return Object.freeze({ ...value }) as Instance['metadata']
  }
  throw new ZookeeperError('config-invalid', `${path}: expected an object of texts`)
}

function readPayload(value: unknown, path: string): unknown {
  if (value === undefined) return undefined
  if (!isObject(value)) throw new ZookeeperError('config-invalid', `${path}: expected an object`)
  if (!('metadata' in value)) return value
  throw new ZookeeperError(
    'config-invalid',
    `${path}.metadata: expected beside the payload, as 'instance.metadata'`,
  )
}

function readUriSpec(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ZookeeperError('config-invalid', `${path}: expected a text such as '${defaultUriSpec}'`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One piece of an address: a text as it is, or the name of a field. */
export interface UriPart {
  readonly value: string
  readonly variable: boolean
}

/** The pieces of a template such as `{scheme}://{address}:{port}`; a brace without its partner is text. */
export function uriParts(template: string): readonly UriPart[] {
  const parts: UriPart[] = []
  for (const [piece] of template.matchAll(/\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (piece.length > 1 && piece.startsWith('{'))
      parts.push({ value: piece.slice(1, -1).trim(), variable: true })
    else parts.push(braces.get(piece) ?? { value: piece, variable: false })
  }
  return parts
}

/** The template that has these pieces. */
export function uriTemplate(parts: readonly UriPart[]): string {
  return parts.map(({ value, variable }) => (variable ? `{${value}}` : value)).join('')
}

/** The address of an instance as its template says it; without a template, as `{scheme}://{address}:{port}`. */
export function instanceUri(instance: Instance): string {
  const fields = fieldsOf(instance)
  return uriParts(instance.uriSpec ?? defaultUriSpec)
    .map(({ value, variable }) => (variable ? (fields.get(value) ?? '') : value))
    .join('')
}

// The field names are those of Curator; a literal brace is a field there as well.
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

/** The text, when it can be the name of one node; `what` begins the error that it is answered with if not. */
export function checkNodeName(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('/')) {
    throw new ZookeeperError('config-invalid', `${what}: expected the name of a node, without a slash`)
  }
  checkPath(`/${value}`, what)
  return value
}

/** How instances are written into the registry, and read from it. */
export interface InstanceCodec {
  encode(instance: Instance): Bytes
  /** Undefined for a node that holds no instance: it is skipped and counted, and so is one that makes this throw. */
  decode(data: Buffer): Instance | undefined
}
