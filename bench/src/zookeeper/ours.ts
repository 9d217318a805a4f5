import { isHaError } from '@ha/core'
import { createZookeeper, type Zookeeper, ZookeeperError } from '@ha/zookeeper'
import type { EventFacts } from '../harness/client-event.ts'
import type { Failure } from '../harness/noted-op.ts'
import { type Places, registerPath } from './contents.ts'
import type { Contestant, ContestantMaker, ContestantSetup } from './contestant.ts'

/** Our own client with its defaults. */
export const ours: ContestantMaker = {
  name: '@ha/zookeeper',
  settings: 'defaults; an ephemeral that is kept, a watch that is iterated',
  async start({ connect, sessionTimeoutMs, ...setup }: ContestantSetup): Promise<Contestant> {
    const zookeeper = createZookeeper({ connect, sessionTimeoutMs })
    tellEvents(zookeeper, setup.onEvent)
    await zookeeper.ready()
    await zookeeper.ephemeral(setup.ephemeral, 'here').ready()
    void follow(zookeeper, setup)
    return contestantOn(zookeeper, setup.places)
  },
}

function contestantOn(zookeeper: Zookeeper, places: Places): Contestant {
  return {
    create: (id) => zookeeper.create(`${places.creates}/c-${id}`, String(id)),
    read: (register) => zookeeper.get(registerPath(places, register)),
    explain,
    attachedTo: () => zookeeper.health().connection.endpoint,
    more: {
      sequence: (id) => zookeeper.create(`${places.sequences}/s-${id}-`, '', { sequential: true }),
      async versionOf(register) {
        return (await zookeeper.get(registerPath(places, register)))?.stat.version ?? 0
      },
      async set(register, id, version) {
        return (await zookeeper.set(registerPath(places, register), String(id), { version })).version
      },
    },
    close: () => zookeeper.close(),
  }
}

async function follow(
  zookeeper: Zookeeper,
  { watched, onEvent }: Pick<ContestantSetup, 'watched' | 'onEvent'>,
): Promise<void> {
  try {
    for await (const _ of zookeeper.watch(watched, { kind: 'data' })) onEvent('watched', {})
  } catch (error) {
    onEvent('watch over', { error: String(error) })
  }
}

/** What an error of ours says. */
export function explain(error: unknown): Failure {
  if (!(error instanceof ZookeeperError)) return { outcome: 'unknown', error: `not ours: ${String(error)}` }
  const { code, outcome, serverCode, cause } = error
  // Nothing may reject and be done.
  if (outcome === 'done') return { outcome: 'unknown', error: `${code} though done` }
  const because = serverCode ?? (isHaError(cause) ? cause.code : undefined)
  return { outcome, error: because === undefined ? code : `${code} (${because})` }
}

/** Passes on what happens to a client. */
export function tellEvents({ events }: Zookeeper, tell: (name: string, facts: EventFacts) => void): void {
  events.on('state', ({ state, endpoint }) => tell('state', { state, endpoint }))
  events.on('failover', ({ from, to, cause, detectMs, dialMs, restoreMs, sameSession }) =>
    tell('failover', { from, to, cause, detectMs, dialMs, restoreMs, sameSession }),
  )
  events.on('sessionBegun', ({ id, epoch, timeoutMs }) => tell('session', { id, epoch, timeoutMs }))
  events.on('sessionLost', ({ id, error }) => tell('session lost', { id, error: error.message }))
  events.on('outcomeUnknown', ({ name, error }) => tell('outcome unknown', { name, error: error.message }))
  events.on('defect', ({ where, error }) => tell('defect', { where, error: error.message }))
}
