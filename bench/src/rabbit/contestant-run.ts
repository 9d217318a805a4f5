import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Order, Report, Result } from './contestant-messages.ts'
import type { TrafficCount } from './traffic.ts'

/** A contestant at work in its own process. */
export interface ContestantRun {
  readonly name: string
  /** How far it is. */
  readonly count: () => TrafficCount
  /** Ends the traffic, waits up to `settleMs` for what is open, and returns everything it was told. */
  stop(settleMs: number): Promise<Result>
  /** Ends the process at once. */
  kill(): void
}

const program = fileURLToPath(new URL('./contestant-process.js', import.meta.url))

/** Starts a contestant and waits until it publishes and consumes. */
export async function runContestant(
  order: Omit<Extract<Order, { kind: 'start' }>, 'kind'>,
): Promise<ContestantRun> {
  const child = fork(program, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  let count: TrafficCount = { sent: 0, confirmed: 0, rejected: 0, consumed: 0 }
  child.on('message', (report: Report) => {
    if (report.kind === 'count') count = report.count
  })
  const ready = reported(child, 'ready', 30_000)
  child.send({ kind: 'start', ...order } satisfies Order)
  try {
    await ready
  } catch (cause) {
    child.kill('SIGKILL')
    throw new Error(`${order.contestant} did not start`, { cause })
  }
  return {
    name: order.contestant,
    count: () => count,
    async stop(settleMs) {
      const done = reported(child, 'done', settleMs + 30_000)
      child.send({ kind: 'stop', settleMs } satisfies Order)
      return (await done).result
    },
    kill: () => child.kill('SIGKILL'),
  }
}

function reported<K extends Report['kind']>(
  child: ChildProcess,
  kind: K,
  timeoutMs: number,
): Promise<Extract<Report, { readonly kind: K }>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no '${kind}' within ${timeoutMs} ms`)), timeoutMs)
    const end = (): void => {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
    }
    const onMessage = (report: Report): void => {
      if (report.kind === 'failed') {
        end()
        reject(new Error(report.error))
      } else if (report.kind === kind) {
        end()
        resolve(report as Extract<Report, { readonly kind: K }>)
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
