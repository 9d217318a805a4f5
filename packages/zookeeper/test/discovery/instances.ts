import type { Instance } from '../../src/discovery/instance.ts'

/** An instance with defaults for all fields that are not given. */
export function instance(id: string, what: Partial<Instance> = {}): Instance {
  return {
    name: 'mqtt',
    id,
    address: '10.0.0.1',
    port: 1883,
    sslPort: undefined,
    status: 'up',
    metadata: {},
    payload: undefined,
    uriSpec: undefined,
    registeredAtMs: 1_000,
    ...what,
  }
}

/** The ids of instances, in their order. */
export function idsOf(instances: readonly Instance[]): readonly string[] {
  return instances.map(({ id }) => id)
}
