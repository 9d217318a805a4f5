import { once } from 'node:events'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import type { Failure } from '../harness/noted-op.ts'
import { registerPath } from './contents.ts'
import type { Contestant, ContestantMaker, ContestantSetup } from './contestant.ts'

// The part of node-zookeeper-client that is used here; it brings no types of its own.
interface BareClient {
  connect(): void
  close(): void
  getSessionId(): Buffer
  once(name: string, listener: () => void): void
  on(name: string, listener: () => void): void
  create(path: string, data: Buffer, acls: unknown, mode: number, done: Done<string>): void
  getData(path: string, watcher: (() => void) | null, done: Done<Buffer>): void
  readonly connectionManager: {
    readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number }
  }
}

type Done<T> = (error: Error | null, result: T) => void

interface BareModule {
  createClient(connect: string, options: { readonly sessionTimeout: number }): BareClient
  readonly ACL: { readonly OPEN_ACL_UNSAFE: unknown }
  readonly CreateMode: { readonly PERSISTENT: number; readonly EPHEMERAL: number }
}

const bare = createRequire(import.meta.url)('node-zookeeper-client') as BareModule

/** The driver that our client takes its records from, as its own page shows it. */
export const bareDriver: ContestantMaker = {
  name: 'node-zookeeper-client',
  settings: 'defaults; the watch is set again at each event, the ephemeral is made once',
  async start({ connect, sessionTimeoutMs, places, ...setup }: ContestantSetup): Promise<Contestant> {
    const client = bare.createClient(connect, { sessionTimeout: sessionTimeoutMs })
    tellEvents(client, setup.onEvent)
    client.connect()
    await once(client as unknown as NodeJS.EventEmitter, 'connected')
    const create = promisify(client.create.bind(client))
    const read = promisify(client.getData.bind(client))
    const { OPEN_ACL_UNSAFE: acl } = bare.ACL
    await create(setup.ephemeral, Buffer.from('here'), acl, bare.CreateMode.EPHEMERAL)
    watch(client, setup)
    return {
      create: (id) =>
        create(`${places.creates}/c-${id}`, Buffer.from(String(id)), acl, bare.CreateMode.PERSISTENT),
      read: (register) => read(registerPath(places, register), null),
      explain,
      attachedTo: () => attachedTo(client),
      close: async () => client.close(),
    }
  },
}

function tellEvents(client: BareClient, tell: ContestantSetup['onEvent']): void {
  client.on('connected', () => tell('session', { id: client.getSessionId().toString('hex') }))
  client.on('disconnected', () => tell('state', { state: 'disconnected' }))
  client.on('expired', () => tell('session lost', {}))
}

function watch(client: BareClient, { watched, onEvent }: Pick<ContestantSetup, 'watched' | 'onEvent'>): void {
  const onChange = (): void => {
    onEvent('watched', {})
    watch(client, { watched, onEvent })
  }
  client.getData(watched, onChange, (error) => {
    if (error !== null) onEvent('watch over', { error: String(error) })
  })
}

function attachedTo({ connectionManager: { socket } }: BareClient): string | undefined {
  return socket?.remotePort === undefined ? undefined : `${socket.remoteAddress}:${socket.remotePort}`
}

// It says what the server or the line said, and nothing about what happened.
function explain(error: unknown): Failure {
  const { name, message } = error as { readonly name?: string; readonly message?: string }
  return { outcome: 'unknown', error: name ?? message ?? String(error) }
}
