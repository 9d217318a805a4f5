import { createRequire } from 'node:module'
import { type FakeEnsemble, type FakeEnsembleOptions, startFakeEnsemble } from '@ha/testing/zookeeper'

/** The message of a failing test: the defect of the driver has been fixed. */
export const fixedMessage =
  'this driver defect is gone: see src/protocol and src/connection, which work around it'

/** An error of the bare driver. */
export interface DriverError extends Error {
  readonly code?: number
}

type Told<T extends readonly unknown[]> = (error: DriverError | null | undefined, ...values: T) => void
type Watcher = () => void

interface Transaction {
  check(path: string, version: number): Transaction
  setData(path: string, data: Buffer, version: number): Transaction
  remove(path: string, version: number): Transaction
  commit(callback: Told<[unknown]>): void
}

/** The part of the bare driver that is tested. */
export interface BareClient {
  readonly connectionManager: {
    xid: number
    readonly packetQueue: { readonly queue: readonly unknown[] }
    onSocketData(bytes: Buffer): void
  }
  connect(): void
  close(): void
  getState(): { readonly name: string }
  addAuthInfo(scheme: string, auth: Buffer): void
  on(event: string, listener: (value: { readonly name: string }) => void): void
  getData(path: string, watcher: Watcher | undefined, callback: Told<[Buffer, unknown]>): void
  exists(path: string, watcher: Watcher | undefined, callback: Told<[unknown]>): void
  setData(path: string, data: Buffer | null, callback: Told<[unknown]>): void
  create(path: string, data: Buffer, mode: number, callback: Told<[string]>): void
  mkdirp(path: string, mode: number, callback: Told<[string]>): void
  transaction(): Transaction
}

interface BareDriver {
  readonly CreateMode: Readonly<Record<string, number>>
  createClient(
    connectString: string,
    options: { readonly sessionTimeout: number; readonly spinDelay: number; readonly retries?: number },
  ): BareClient
}

/** The package. */
export const driver = createRequire(import.meta.url)('node-zookeeper-client') as BareDriver

/** A bare client connected to a fake server. */
export interface Bare extends AsyncDisposable {
  readonly ensemble: FakeEnsemble
  readonly client: BareClient
  /** Its states, in order. */
  readonly states: readonly string[]
  /** What it has thrown while reading: in a program, each of these errors ends the process. */
  readonly escaped: readonly Error[]
  /** Connects, and waits until it reports the connection. */
  connected(): Promise<void>
}

/** The session timeout that a bare client requests. */
export const sessionMs = 300

/** Servers that grant it: others, with ticks of five seconds, grant ten, so that a busy machine ends no session. */
export const hasty: FakeEnsembleOptions = { tickTimeMs: 100 }

/** A bare client before it connects, and one server. */
export async function bare(
  options: { readonly retries?: number; readonly spinDelayMs?: number } & FakeEnsembleOptions = {},
): Promise<Bare> {
  const { retries = 0, spinDelayMs = 20, ...ensembleOptions } = options
  const ensemble = await startFakeEnsemble({ nodes: 1, tickTimeMs: 5_000, ...ensembleOptions })
  const settings = { sessionTimeout: sessionMs, spinDelay: spinDelayMs, retries }
  const client = driver.createClient(ensemble.connectString, settings)
  const states: string[] = []
  client.on('state', ({ name }) => states.push(name))
  return {
    ensemble,
    client,
    states,
    escaped: watched(client),
    connected: () => {
      client.connect()
      return untilConnected(client)
    },
    [Symbol.asyncDispose]: async () => {
      end(client)
      await ensemble.close()
    },
  }
}

/** The result of a call: its error, or its first value. */
export function called<T>(act: (callback: Told<[T]>) => void): Promise<DriverError | T> {
  return new Promise((resolve) => act((error, value) => resolve(error ?? value)))
}

/** Whether a promise is still pending after that time. */
export function isPendingAfter(waitMs: number, promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => false), pass(waitMs).then(() => true)])
}

/** Waits for that time. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function untilConnected(client: BareClient): Promise<void> {
  while (client.getState().name !== 'SYNC_CONNECTED') await pass(5)
}

function watched(client: BareClient): readonly Error[] {
  const escaped: Error[] = []
  const manager = client.connectionManager
  const read = manager.onSocketData
  manager.onSocketData = function onSocketData(bytes) {
    try {
      read.call(this, bytes)
    } catch (error) {
      escaped.push(error as Error)
    }
  }
  return escaped
}

// Its own `close` needs a server that answers: the work that it would repeat is removed instead.
function end(client: BareClient): void {
  const manager = client.connectionManager as unknown as {
    connect: () => void
    findNextServer: () => void
    socket?: { destroy(): void; setTimeout(ms: number): void }
    connectTimeoutHandler?: NodeJS.Timeout
  }
  manager.connect = () => undefined
  manager.findNextServer = () => undefined
  clearTimeout(manager.connectTimeoutHandler)
  manager.socket?.destroy()
}
