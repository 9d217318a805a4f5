/** The address of a server. */
export interface Endpoint {
  /** Lower case; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

/** `host:port`, with brackets around IPv6: the name of an endpoint in logs, errors and maps. */
export function formatEndpoint(endpoint: Endpoint): string {
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  return `${host}:${endpoint.port}`
}

/** Whether both are the same address. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port
}
