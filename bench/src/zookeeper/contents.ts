import { onSession, type RawSession, readReliably } from './raw-session.ts'

/** The nodes of one client; no other client writes below its root. */
export interface ClientPaths {
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

export function clientPaths(root: string): ClientPaths {
  return { root, creates: `${root}/creates`, sequences: `${root}/sequences`, registers: `${root}/registers` }
}

export function registerPath({ registers }: Pick<ClientPaths, 'registers'>, index: number): string {
  return `${registers}/r${index}`
}

/** Makes the nodes that a client works below. */
export async function createClientPaths(endpoint: string, paths: ClientPaths): Promise<void> {
  const { root, creates, sequences, registers } = paths
  const registerPaths = Array.from({ length: registerCount }, (_, index) => registerPath(paths, index))
  await onSession(endpoint, async (session) => {
    for (const path of [root, creates, sequences, registers, ...registerPaths]) await session.create(path)
  })
}

/** Reads the nodes of a client on every server, when it has caught up with the leader. */
export function readEverywhere(
  endpoints: readonly string[],
  paths: ClientPaths,
): Promise<readonly Contents[]> {
  return Promise.all(
    endpoints.map((server) =>
      readReliably(server, async (session) => {
        await session.sync()
        return {
          server,
          creates: await session.children(paths.creates),
          sequences: await session.children(paths.sequences),
          registers: await readRegisters(session, paths),
        }
      }),
    ),
  )
}

function readRegisters(session: RawSession, paths: ClientPaths): Promise<readonly Register[]> {
  return Promise.all(
    Array.from({ length: registerCount }, async (_, index) => {
      const node = await session.get(registerPath(paths, index))
      return { version: node?.version ?? 0, data: node?.data.toString() ?? '' }
    }),
  )
}
