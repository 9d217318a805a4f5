import { randomUUID } from 'node:crypto'
import { checked, count, type OptionTable } from '@ha/core/driver'
import { resolveOptions } from '../resolve-options.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { Instance, InstancePatch, InstanceSpec } from './instance.ts'
import { checkNodeName } from './node-name.ts'
import { defaultUriSpec } from './uri-spec.ts'
import { whenGiven } from './when-given.ts'

/** The instance that a spec describes; throws `config-invalid` with all that is wrong about it. */
export function resolveInstance(spec: InstanceSpec, registeredAtMs: number): Instance {
  return { ...described(spec), status: 'up', registeredAtMs }
}

/** The instance with what a patch says about it; what the patch does not name stays. */
export function amended({ status, registeredAtMs, ...before }: Instance, patch: InstancePatch): Instance {
  const { name, id } = before
  return { ...described({ ...before, ...patch, name, id }), status, registeredAtMs }
}

type Described = Omit<Instance, 'status' | 'registeredAtMs'>

function described(spec: unknown): Described {
  return resolveOptions(specTable, spec, 'instance')
}

const port = { default: 1, min: 1, max: 65_535 }

const specTable: OptionTable<Described> = {
  name: checked(checkNodeName, ''),
  id: {
    read: (value, path, problems) => checked(checkNodeName, '').read(value ?? randomUUID(), path, problems),
  },
  address: checked(readAddress, ''),
  port: whenGiven(count(port)),
  sslPort: whenGiven(count(port)),
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
