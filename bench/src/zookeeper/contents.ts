import { onSession, type RawSession, witness } from './raw-session.ts'

/** The nodes that belong to one client: nobody else writes below its root. */
export interface Places {
  readonly root: string
  /** One child for each create, `c-` and its number. */
  readonly creates: string
  /** One child for each sequential create, with `s-` and its number in the name. */
  readonly sequences: string
  /** Children that are written again and again, with versions. */
  readonly registers: string
}

/** Everything of a client that one server holds. */
export interface Contents {
  /** `host:port`. */
  readonly server: string
  /** Names of the children. */
  readonly creates: readonly string[]
  readonly sequences: readonly string[]
  /** Version and data of each register. */
  readonly registers: readonly Register[]
}

export interface Register {
  readonly version: number
  readonly data: string
}

/** How many nodes are written again and again. */
export const registerCount = 20

export function placesOf(root: string): Places {
  return { root, creates: `${root}/creates`, sequences: `${root}/sequences`, registers: `${root}/registers` }
}

export function registerPath({ registers }: Pick<Places, 'registers'>, index: number): string {
  return `${registers}/r${index}`
}

/** Makes the nodes that a client works below. */
export async function makePlaces(endpoint: string, places: Places): Promise<void> {
  const { root, creates, sequences, registers } = places
  const paths = Array.from({ length: registerCount }, (_, index) => registerPath(places, index))
  await onSession(endpoint, async (session) => {
    for (const path of [root, creates, sequences, registers, ...paths]) await session.create(path)
  })
}

/** Reads the nodes of a client on every server, when it has caught up with the leader. */
export function readEverywhere(endpoints: readonly string[], places: Places): Promise<readonly Contents[]> {
  return Promise.all(
    endpoints.map((server) =>
      witness(server, async (session) => {
        await session.sync()
        return {
          server,
          creates: await session.children(places.creates),
          sequences: await session.children(places.sequences),
          registers: await readRegisters(session, places),
        }
      }),
    ),
  )
}

function readRegisters(session: RawSession, places: Places): Promise<readonly Register[]> {
  return Promise.all(
    Array.from({ length: registerCount }, async (_, index) => {
      const node = await session.get(registerPath(places, index))
      return { version: node?.version ?? 0, data: node?.data.toString() ?? '' }
    }),
  )
}
