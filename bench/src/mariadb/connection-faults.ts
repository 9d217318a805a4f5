import type { FaultLease, Lab } from '@ha/bootstrap'
import { formatEndpoint } from '@ha/core'
import { bothWays, type FaultProxy, type Faults, faultProxy } from '@ha/testing/proxy'

/** Where in a transaction the line to its server breaks. */
export type TransactionPoint = (typeof points)[number]

export const points = [
  'BEGIN',
  'middle',
  'last statement',
  'COMMIT sent',
  'COMMIT arrived',
  'COMMIT answered',
] as const

/**
 * How it breaks: the connections are reset; the line goes dead and delivers later what it holds; the server itself is
 * frozen and wakes later.
 */
export type FaultMode = 'reset' | 'dead line' | 'frozen server'

/** A real cluster with a proxy in front of each node. */
export interface ProxiedCluster extends AsyncDisposable {
  readonly lab: Lab
  /** By the address that the client dials, in the order of the nodes. */
  readonly proxies: ReadonlyMap<string, FaultProxy>
}

/** Puts a proxy in front of each node. */
export async function proxyCluster(lab: Lab): Promise<ProxiedCluster> {
  const proxies = new Map<string, FaultProxy>()
  for (const { endpoint } of lab.nodes) {
    const proxy = await faultProxy({ to: endpoint })
    proxies.set(formatEndpoint(proxy.endpoint), proxy)
  }
  return {
    lab,
    proxies,
    async [Symbol.asyncDispose]() {
      for (const proxy of proxies.values()) await proxy.close()
    },
  }
}

// The server's OK to a COMMIT is 11 bytes long: it passes, and what comes behind it does not.
const answerBytes = 20

/** Breaks the line to a server; what it returns heals it. */
export async function injectConnectionFault(
  { lab, proxies }: Pick<ProxiedCluster, 'lab' | 'proxies'>,
  {
    point,
    how,
    endpoint,
  }: { readonly point: TransactionPoint; readonly how: FaultMode; readonly endpoint: string },
): Promise<() => Promise<void>> {
  const proxy = proxies.get(endpoint)
  if (proxy === undefined) throw new Error(`there is no proxy at ${endpoint}`)
  if (how === 'frozen server') return freeze(lab, [...proxies.keys()].indexOf(endpoint))
  proxy.set(how === 'reset' ? resets[point] : deadLines[point])
  return () => proxy.heal({ held: 'flush' })
}

async function freeze(lab: Lab, index: number): Promise<() => Promise<void>> {
  const lease: FaultLease = await lab.pause(lab.nodes[index]?.name ?? '', { forMs: 60_000 })
  return async () => {
    await lease.heal()
    await lab.ready()
  }
}

// The answer begins, so the server has heard the question.
const answersLost: Faults = { down: [{ kind: 'cut', how: 'reset', afterBytes: 1 }] }
const nothingArrives: Faults = { up: [{ kind: 'cut', how: 'reset', afterBytes: 0 }] }

const resets: Readonly<Record<TransactionPoint, Faults>> = {
  BEGIN: answersLost,
  middle: answersLost,
  'last statement': answersLost,
  'COMMIT sent': nothingArrives,
  'COMMIT arrived': answersLost,
  'COMMIT answered': { down: [{ kind: 'cut', how: 'reset', afterBytes: answerBytes }] },
}

const blackhole = { kind: 'blackhole', how: 'stop-reading' } as const
const silentServer: Faults = { down: [blackhole] }

const deadLines: Readonly<Record<TransactionPoint, Faults>> = {
  BEGIN: bothWays(blackhole),
  middle: bothWays(blackhole),
  'last statement': silentServer,
  'COMMIT sent': bothWays(blackhole),
  'COMMIT arrived': silentServer,
  'COMMIT answered': { down: [{ ...blackhole, afterBytes: answerBytes }] },
}
