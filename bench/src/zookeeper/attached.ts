import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant, ContestantMaker, ContestantSetup } from './contestant.ts'

/** Where a client is to be attached when it begins: at this server, or anywhere but there. */
export interface Place {
  /** `host:port`. */
  readonly endpoint: string
  readonly isThere: boolean
}

// Each begins with a server by chance: one in three is the wanted one.
const mostStarts = 60

/** Starts a client again and again until it is attached where it is wanted; only the last one is heard. */
export async function startAttached(
  maker: ContestantMaker,
  setup: ContestantSetup,
  place: Place,
): Promise<Contestant> {
  for (let start = 0; start < mostStarts; start++) {
    const told: Parameters<ContestantSetup['onEvent']>[] = []
    let isWanted = false
    const onEvent: ContestantSetup['onEvent'] = (...event) => {
      if (isWanted) setup.onEvent(...event)
      else told.push(event)
    }
    const contestant = await maker.start({ ...setup, ephemeral: `${setup.ephemeral}-${start}`, onEvent })
    if (((await attachment(contestant)) === place.endpoint) === place.isThere) {
      isWanted = true
      for (const event of told) setup.onEvent(...event)
      return contestant
    }
    await contestant.close()
  }
  const where = `${place.isThere ? 'to' : 'away from'} ${place.endpoint}`
  throw new Error(`${maker.name} was not attached ${where} in ${mostStarts} starts`)
}

// Who lives in another process says so a moment later.
async function attachment(contestant: Contestant): Promise<string> {
  for (;;) {
    const endpoint = contestant.attachedTo()
    if (endpoint !== undefined) return endpoint
    await sleep(50)
  }
}
