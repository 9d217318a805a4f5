import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isHaError } from '@ha/core'
import { createZookeeper, type Zookeeper, ZookeeperError } from '@ha/zookeeper'
import type { Failure } from '../harness/traffic.ts'
import type { EventFacts } from '../harness/worker.ts'
import { type ClientPaths, registerPath } from './contents.ts'

/** What every client under test is given. */
export interface ClientSetup {
  /** Connect string of all servers. */
  readonly connect: string
  readonly sessionTimeoutMs: number
  readonly paths: ClientPaths
  /** A node that it holds for as long as its session lives. */
  readonly ephemeral: string
  /** A node that it watches for changes, again after each. */
  readonly watched: string
  /** `session` with its id, `watched` for each change, and whatever else it tells. */
  readonly onEvent: (name: string, facts: EventFacts) => void
}

/** A client under test. Its calls reject with whatever the client rejects with. */
export interface ClientUnderTest {
  /** Makes a node of this name below the creates. */
  create(id: number): Promise<unknown>
  /** Reads a register. */
  read(register: number): Promise<unknown>
  explain(error: unknown): Failure
  /** The server that it is attached to, as `host:port`, as far as it knows. */
  attachedTo(): string | undefined
  /** Operations that only some clients support. */
  readonly more?: {
    /** Makes a node that the server numbers, never two by one call. */
    sequence(id: number): Promise<unknown>
    versionOf(register: number): Promise<number>
    /** Writes a register that has this version, and resolves with the next one. */
    set(register: number, id: number, version: number): Promise<number>
  }
  close(): Promise<unknown>
}

/** A client library with its documented settings. */
export interface ClientAdapter {
  readonly name: string
  /** Which settings, for the report. */
  readonly settings: string
  start(setup: ClientSetup): Promise<ClientUnderTest>
}

/** Our own client with its defaults. */
export const ours: ClientAdapter = {
  name: '@ha/zookeeper',
  settings: 'defaults; an ephemeral that is kept, a watch that is iterated',
  async start({ connect, sessionTimeoutMs, ...setup }: ClientSetup): Promise<ClientUnderTest> {
    const zookeeper = createZookeeper({ connect, sessionTimeoutMs })
    forwardEvents(zookeeper, setup.onEvent)
    await zookeeper.ready()
    await zookeeper.ephemeral(setup.ephemeral, 'here').ready()
    void follow(zookeeper, setup)
    return clientUnderTest(zookeeper, setup.paths)
  },
}

function clientUnderTest(zookeeper: Zookeeper, paths: ClientPaths): ClientUnderTest {
  return {
    create: (id) => zookeeper.create(`${paths.creates}/c-${id}`, String(id)),
    read: (register) => zookeeper.get(registerPath(paths, register)),
    explain,
    attachedTo: () => zookeeper.health().connection.endpoint,
    more: {
      sequence: (id) => zookeeper.create(`${paths.sequences}/s-${id}-`, '', { sequential: true }),
      async versionOf(register) {
        return (await zookeeper.get(registerPath(paths, register)))?.stat.version ?? 0
      },
      async set(register, id, version) {
        return (await zookeeper.set(registerPath(paths, register), String(id), { version })).version
      },
    },
    close: () => zookeeper.close(),
  }
}

async function follow(
  zookeeper: Zookeeper,
  { watched, onEvent }: Pick<ClientSetup, 'watched' | 'onEvent'>,
): Promise<void> {
  try {
    for await (const _ of zookeeper.watch(watched, { kind: 'data' })) onEvent('watched', {})
  } catch (error) {
    onEvent('watch over', { error: String(error) })
  }
}

/** What an error of ours says. */
function explain(error: unknown): Failure {
  if (!(error instanceof ZookeeperError)) return { outcome: 'unknown', error: `not ours: ${String(error)}` }
  const { code, outcome, serverCode, cause } = error
  // Nothing may reject and be done.
  if (outcome === 'done') return { outcome: 'unknown', error: `${code} though done` }
  const because = serverCode ?? (isHaError(cause) ? cause.code : undefined)
  return { outcome, error: because === undefined ? code : `${code} (${because})` }
}

/** Passes on what happens to a client. */
export function forwardEvents(
  { events }: Zookeeper,
  report: (name: string, facts: EventFacts) => void,
): void {
  events.on('state', ({ state, endpoint }) => report('state', { state, endpoint }))
  events.on('failover', ({ from, to, cause, detectMs, dialMs, restoreMs, sameSession }) =>
    report('failover', { from, to, cause, detectMs, dialMs, restoreMs, sameSession }),
  )
  events.on('sessionBegun', ({ id, epoch, timeoutMs }) => report('session', { id, epoch, timeoutMs }))
  events.on('sessionLost', ({ id, error }) => report('session lost', { id, error: error.message }))
  events.on('outcomeUnknown', ({ name, error }) => report('outcome unknown', { name, error: error.message }))
  events.on('defect', ({ where, error }) => report('defect', { where, error: error.message }))
}

// The part of node-zookeeper-client that is used here; it brings no types of its own.
interface BareClient {
  connect(): void
  close(): void
  getSessionId(): Buffer
  once(name: string, listener: () => void): void
  on(name: string, listener: () => void): void
  create(path: string, data: Buffer, acls: unknown, mode: number, callback: Callback<string>): void
  getData(path: string, watcher: (() => void) | null, callback: Callback<Buffer>): void
  readonly connectionManager: {
    readonly socket?: { readonly remoteAddress?: string; readonly remotePort?: number }
  }
}

type Callback<T> = (error: Error | null, result: T) => void

interface BareModule {
  createClient(connect: string, options: { readonly sessionTimeout: number }): BareClient
  readonly ACL: { readonly OPEN_ACL_UNSAFE: unknown }
  readonly CreateMode: { readonly PERSISTENT: number; readonly EPHEMERAL: number }
}

const bare = createRequire(import.meta.url)('node-zookeeper-client') as BareModule

/** The driver that our client takes its records from, as its own page shows it. */
export const bareDriver: ClientAdapter = {
  name: 'node-zookeeper-client',
  settings: 'defaults; the watch is set again at each event, the ephemeral is made once',
  async start({ connect, sessionTimeoutMs, paths, ...setup }: ClientSetup): Promise<ClientUnderTest> {
    const client = bare.createClient(connect, { sessionTimeout: sessionTimeoutMs })
    forwardBareEvents(client, setup.onEvent)
    client.connect()
    await once(client as unknown as NodeJS.EventEmitter, 'connected')
    const create = promisify(client.create.bind(client))
    const read = promisify(client.getData.bind(client))
    const { OPEN_ACL_UNSAFE: acl } = bare.ACL
    await create(setup.ephemeral, Buffer.from('here'), acl, bare.CreateMode.EPHEMERAL)
    watchAgain(client, setup)
    return {
      create: (id) =>
        create(`${paths.creates}/c-${id}`, Buffer.from(String(id)), acl, bare.CreateMode.PERSISTENT),
      read: (register) => read(registerPath(paths, register), null),
      explain: explainBareError,
      attachedTo: () => attachedTo(client),
      close: async () => client.close(),
    }
  },
}

function forwardBareEvents(client: BareClient, report: ClientSetup['onEvent']): void {
  client.on('connected', () => report('session', { id: client.getSessionId().toString('hex') }))
  client.on('disconnected', () => report('state', { state: 'disconnected' }))
  client.on('expired', () => report('session lost', {}))
}

function watchAgain(
  client: BareClient,
  { watched, onEvent }: Pick<ClientSetup, 'watched' | 'onEvent'>,
): void {
  const onChange = (): void => {
    onEvent('watched', {})
    watchAgain(client, { watched, onEvent })
  }
  client.getData(watched, onChange, (error) => {
    if (error !== null) onEvent('watch over', { error: String(error) })
  })
}

function attachedTo({ connectionManager: { socket } }: BareClient): string | undefined {
  return socket?.remotePort === undefined ? undefined : `${socket.remoteAddress}:${socket.remotePort}`
}

// It says what the server or the line said, and nothing about what happened.
function explainBareError(error: unknown): Failure {
  const { name, message } = error as { readonly name?: string; readonly message?: string }
  return { outcome: 'unknown', error: name ?? message ?? String(error) }
}

// Not compiled: it stays beside the sources.
const kazooProgram = fileURLToPath(new URL('../../src/zookeeper/kazoo-client.py', import.meta.url))

const python = 'python3'

/** Python's client, where Python has it. */
const kazoo: ClientAdapter = {
  name: 'kazoo',
  settings: 'defaults; the watch is set again at each event, the ephemeral is made once',
  start: async (setup) => kazooClient(await KazooProcess.start(setup), setup),
}

/** Why there is no kazoo to be measured, in one line; undefined when there is. */
async function missingKazoo(): Promise<string | undefined> {
  const found = promisify(execFile)(python, ['-c', 'import kazoo'])
  return found.then(
    () => undefined,
    () => `${python} has no kazoo; type: pip install kazoo`,
  )
}

function kazooClient(client: KazooProcess, { paths }: ClientSetup): ClientUnderTest {
  // Asked now and then: it lives in another process.
  const polling = setInterval(() => void client.request('attached', '').catch(() => undefined), 100)
  return {
    create: (id) => client.request('create', `${paths.creates}/c-${id}`),
    read: (register) => client.request('read', registerPath(paths, register)),
    explain: explainKazooError,
    attachedTo: () => client.attached,
    async close() {
      clearInterval(polling)
      client.end()
    },
  }
}

function explainKazooError(error: unknown): Failure {
  return { outcome: 'unknown', error: (error as Error).message }
}

interface KazooMessage {
  readonly ready?: boolean
  readonly attached?: string | null
  readonly settled?: number
  readonly error?: string | null
  readonly event?: string
  readonly state?: string
  readonly id?: string
}

class KazooProcess {
  attached: string | undefined
  readonly #child = spawn(python, [kazooProgram], { stdio: ['pipe', 'pipe', 'inherit'] })
  readonly #open = new Map<number, { resolve(): void; reject(error: Error): void }>()
  readonly #onEvent: ClientSetup['onEvent']
  readonly #kill = (): unknown => this.#child.kill('SIGKILL')
  #number = 0

  private constructor(onEvent: ClientSetup['onEvent']) {
    this.#onEvent = onEvent
    // Requests to an ended process are rejected through `#open`.
    this.#child.stdin.on('error', () => undefined)
    // Python that stays behind would hold its session for ever.
    process.on('exit', this.#kill)
  }

  static async start({ onEvent, ...setup }: ClientSetup): Promise<KazooProcess> {
    const client = new KazooProcess(onEvent)
    await new Promise<void>((resolve, reject) => {
      client.#child.once('exit', (code) => reject(new Error(`kazoo ended with code ${code}`)))
      createInterface({ input: client.#child.stdout }).on('line', (line) => {
        const message = JSON.parse(line) as KazooMessage
        client.#receive(message)
        if (message.ready === true) resolve()
      })
      client.#child.stdin.write(`${JSON.stringify(setup)}\n`)
    })
    return client
  }

  request(what: string, path: string): Promise<void> {
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#open.set(number, { resolve, reject })
      this.#child.stdin.write(`${JSON.stringify({ number, do: what, path })}\n`)
    })
  }

  end(): void {
    process.off('exit', this.#kill)
    this.#kill()
  }

  #receive({ settled, error, attached, event, state, id }: KazooMessage): void {
    if (attached !== undefined) this.attached = attached ?? undefined
    if (event !== undefined) this.#onEvent(event, { state, id, error: error ?? undefined })
    if (settled === undefined) return
    const request = this.#open.get(settled)
    this.#open.delete(settled)
    if (error === null || error === undefined) request?.resolve()
    else request?.reject(new Error(error))
  }
}

const clientAdapters: readonly ClientAdapter[] = [ours, bareDriver, kazoo]

/** The clients that this machine can run, ours first; the others are named on the screen. */
export async function availableClients(): Promise<readonly ClientAdapter[]> {
  const missing = await missingKazoo()
  if (missing === undefined) return clientAdapters
  console.log(`Skipped: 1 client, ${missing}`)
  return clientAdapters.filter((client) => client !== kazoo)
}

/** The adapter of that name; throws when there is none. */
export function adapterNamed(name: string): ClientAdapter {
  const maker = clientAdapters.find((client) => client.name === name)
  if (maker === undefined) throw new Error(`there is no client '${name}'`)
  return maker
}
