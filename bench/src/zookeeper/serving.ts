import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { wallMs } from '../harness/wall-clock.ts'
import { endpointsOf, leaderOf } from './ensemble.ts'
import { onSession } from './raw-session.ts'

const pauseMs = 50
// Longer than any experiment: the fault is healed by us.
const leaseMs = 600_000

/**
 * Sees to it that an ensemble whose servers agree commits again; true when its leader had to be restarted for that. Of
 * ensembles that were frozen whole, about one in fifteen (3.8.0) comes back hanging: a leader, two followers in sync, and
 * no session begins and no write is committed, however long anybody waits, until it elects anew.
 */
export async function unhang(lab: Lab, withinMs: number): Promise<boolean> {
  const endpoints = [...endpointsOf(lab).values()]
  const begun = await Promise.all(endpoints.map((endpoint) => beginsSessions(endpoint, withinMs)))
  if (begun.includes(true)) return false
  const lease = await lab.kill(await leaderOf(lab), { forMs: leaseMs })
  await lease.heal()
  await lab.ready()
  return true
}

// A session begins when a quorum has committed it.
async function beginsSessions(endpoint: string, withinMs: number): Promise<boolean> {
  const untilMs = wallMs() + withinMs
  for (let leftMs = withinMs; leftMs > 0; leftMs = untilMs - wallMs()) {
    const begun = await onSession(endpoint, async () => true, leftMs).catch(() => false)
    if (begun) return true
    await sleep(pauseMs)
  }
  return false
}
