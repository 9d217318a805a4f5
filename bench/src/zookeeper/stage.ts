import type { Lab } from '@ha/bootstrap'
import { type ClientRun, runClient } from './client-run.ts'
import { makePlaces, type Places, placesOf } from './contents.ts'
import { endpointsOf, leaderOf } from './ensemble.ts'
import type { Experiment } from './experiment.ts'
import { onSession } from './raw-session.ts'

/** Where one experiment plays. */
export interface Stage {
  readonly root: string
  /** The server that is to be broken. */
  readonly victim: string
  readonly victimAt: string
  /** Where clients are attached when they begin: the victim, or anywhere but at it. */
  readonly isAttachedToVictim: boolean
}

/** A client at work, and the nodes that only it writes. */
export interface Running {
  readonly run: ClientRun
  readonly places: Places
}

let stages = 0

/** Chooses the victim, and makes the nodes that an experiment needs. */
export async function prepare(lab: Lab, { role }: Experiment): Promise<Stage> {
  stages += 1
  const root = `/x${stages}`
  const endpoints = endpointsOf(lab)
  const leader = await leaderOf(lab)
  const followers = [...endpoints.keys()].filter((name) => name !== leader)
  const victim = role === 'leader' ? leader : (followers[stages % followers.length] ?? '')
  const [endpoint = ''] = endpoints.values()
  await onSession(endpoint, async (session) => {
    for (const path of [root, `${root}/floor`, `${root}/watched`]) await session.create(path)
  })
  return { root, victim, victimAt: endpoints.get(victim) ?? '', isAttachedToVictim: role === 'attached' }
}

/** Starts a client where the stage wants it. */
export async function startClient(
  lab: Lab,
  {
    experiment,
    stage,
    name,
  }: { readonly experiment: Experiment; readonly stage: Stage; readonly name: string },
): Promise<Running> {
  const { root, victimAt, isAttachedToVictim } = stage
  const id = idOf(name)
  const places = placesOf(`${root}/${id}`)
  const [endpoint = ''] = endpointsOf(lab).values()
  await makePlaces(endpoint, places)
  const run = await runClient({
    connect: lab.url,
    sessionTimeoutMs: experiment.sessionTimeoutMs,
    contestant: name,
    rates: experiment.rates,
    places,
    ephemeral: `${root}/here-${id}`,
    watched: `${root}/watched`,
    place: { endpoint: victimAt, isThere: isAttachedToVictim },
  })
  return { run, places }
}

/** A client's name as a part of a path. */
export function idOf(name: string): string {
  return name.replaceAll(/[^a-z0-9]/g, '')
}
