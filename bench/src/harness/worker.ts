import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Finished, Order, Report } from './worker-messages.ts'

/** Somebody at work in a process of its own. */
export interface Worker<Count, Result> {
  readonly name: string
  /** How far it is; undefined before it said so for the first time. */
  readonly count: () => Count | undefined
  /** Ends the work, waits up to `settleMs` for what is open, and returns everything that it was told. */
  stop(settleMs: number): Promise<Finished<Result>>
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
  child.on('message', (report: Report<Count, Result>) => {
    if (report.kind === 'count') count = report.count
  })
  const order = (each: Order<Setup>): unknown => child.send(each)
  const ready = reported<Report<Count, Result>, 'ready'>(child, 'ready', startMs)
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
      const done = reported<Report<Count, Result>, 'done'>(child, 'done', settleMs + startMs)
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
