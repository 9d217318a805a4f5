import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Work in a child process. */
export interface Worker<Count, Result> {
  readonly name: string
  /** How far it is; undefined before it said so for the first time. */
  readonly count: () => Count | undefined
  /** Ends the work, waits up to `settleMs` for open operations, and returns its result. */
  stop(settleMs: number): Promise<WorkerResult<Result>>
  /** Ends the process at once. */
  kill(): void
}

const startMs = 30_000

/** Starts a program that calls `serveWork`, and waits until it is at work. */
export async function startWorker<Setup, Count, Result>(
  name: string,
  program: URL,
  setup: Setup,
): Promise<Worker<Count, Result>> {
  const child = fork(fileURLToPath(program), {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let count: Count | undefined
  child.on('message', (report: WorkerReport<Count, Result>) => {
    if (report.kind === 'count') count = report.count
  })
  const order = (each: WorkerOrder<Setup>): unknown => child.send(each)
  const ready = reported<WorkerReport<Count, Result>, 'ready'>(child, 'ready', startMs)
  order({ kind: 'start', setup })
  try {
    await ready
  } catch (cause) {
    child.kill('SIGKILL')
    throw new Error(`${name} did not start`, { cause })
  }
  return {
    name,
    count: () => count,
    async stop(settleMs) {
      const done = reported<WorkerReport<Count, Result>, 'done'>(child, 'done', settleMs + startMs)
      order({ kind: 'stop', settleMs })
      return (await done).result
    },
    kill: () => child.kill('SIGKILL'),
  }
}

function reported<R extends { readonly kind: string }, K extends R['kind']>(
  child: ChildProcess,
  kind: K,
  timeoutMs: number,
): Promise<Extract<R, { readonly kind: K }>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no '${kind}' within ${timeoutMs} ms`)), timeoutMs)
    const end = (): void => {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
    }
    const onMessage = (report: R | { readonly kind: 'failed'; readonly error: string }): void => {
      if (report.kind === kind) {
        end()
        resolve(report as Extract<R, { readonly kind: K }>)
      } else if (report.kind === 'failed') {
        end()
        reject(new Error((report as { readonly error: string }).error))
      }
    }
    const onExit = (code: number | null): void => {
      end()
      reject(new Error(`its process ended with code ${code}`))
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}

/** Work under way in a process of its own. */
interface Work<Count, Result> {
  /** How far it is. */
  count(): Count
  /** Ends it, waits up to `settleMs` for what is open, and returns everything that is known of it. */
  finish(settleMs: number): Promise<Result>
  close(): Promise<unknown>
}

const countEveryMs = 200
const closeMs = 2_000

/**
 * Does what the parent process orders, in this one: unhandled errors are counted, and other clients are not slowed down.
 */
export function runAsWorker<Setup, Count, Result>(
  begin: (setup: Setup) => Promise<Work<Count, Result>>,
): void {
  const unhandled: string[] = []
  process.on('unhandledRejection', (reason) => unhandled.push(`rejection: ${String(reason)}`))
  process.on('uncaughtException', (error) => unhandled.push(`exception: ${error.message}`))
  // The parent process has ended.
  process.on('disconnect', () => process.exit(0))
  const send = (report: WorkerReport<Count, Result>): Promise<void> =>
    new Promise((resolve) => process.send?.(report, () => resolve()))
  let stop: ((settleMs: number) => Promise<void>) | undefined
  const start = async (setup: Setup): Promise<void> => {
    const work = await begin(setup)
    const counting = setInterval(() => void send({ kind: 'count', count: work.count() }), countEveryMs)
    stop = async (settleMs) => {
      const result = await work.finish(settleMs)
      clearInterval(counting)
      await send({ kind: 'done', result: { ...result, unhandled: [...unhandled] } })
      // Closing is limited in time: the result has been sent.
      await Promise.race([work.close(), sleep(closeMs)])
      process.exit(0)
    }
    await send({ kind: 'ready' })
  }
  process.on('message', (order: WorkerOrder<Setup>) => {
    if (order.kind === 'stop') void stop?.(order.settleMs)
    else start(order.setup).catch((error: unknown) => send({ kind: 'failed', error: String(error) }))
  })
}

/** Messages to a worker's process. */
type WorkerOrder<Setup> =
  | { readonly kind: 'start'; readonly setup: Setup }
  | { readonly kind: 'stop'; readonly settleMs: number }

/** Messages from a worker's process. */
type WorkerReport<Count, Result> =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'count'; readonly count: Count }
  | { readonly kind: 'done'; readonly result: WorkerResult<Result> }

/** A line for the log of a run, and its time. */
export interface Note {
  readonly atMs: number
  readonly text: string
}

/** The result of a worker, with its unhandled errors. */
export type WorkerResult<Result> = Result & {
  /** Unhandled rejections and exceptions. */
  readonly unhandled: readonly string[]
}

/** The fields of an event. */
export type EventFacts = Readonly<Record<string, string | number | boolean | undefined>>

/** An event of a client, and when it came, in milliseconds since 1970. */
export interface ClientEvent {
  readonly atMs: number
  readonly name: string
  readonly facts: EventFacts
}
