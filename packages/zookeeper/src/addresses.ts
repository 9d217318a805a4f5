import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Endpoint, EndpointSource } from '@ha/core'

/**
 * The servers' addresses. A name may have several, and they may change: it is asked for before each round of dials, and
 * one that cannot be found takes nothing away from the others. Under TLS names stay names, which certificates are for.
 */
export function addressesOf(endpoints: readonly Endpoint[], usesTls: boolean): EndpointSource {
  if (usesTls || endpoints.every(({ host }) => isIP(host) !== 0)) return endpoints
  return async () => {
    const found = await Promise.allSettled(endpoints.map(allOf))
    const addresses = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
    const failed = found.find((each) => each.status === 'rejected')
    if (addresses.length === 0 && failed !== undefined) throw failed.reason
    return unique(addresses)
  }
}

async function allOf(endpoint: Endpoint): Promise<readonly Endpoint[]> {
  if (isIP(endpoint.host) !== 0) return [endpoint]
  const found = await lookup(endpoint.host, { all: true })
  return found.map(({ address }) => ({ host: address, port: endpoint.port }))
}

function unique(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const byName = new Map(endpoints.map((endpoint) => [`${endpoint.host} ${endpoint.port}`, endpoint]))
  return [...byName.values()]
}
