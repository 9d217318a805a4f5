import { setTimeout as sleep } from 'node:timers/promises'
import type { Order, Report } from './worker-messages.ts'

/** Work under way in a process of its own. */
export interface Work<Count, Result> {
  /** How far it is. */
  count(): Count
  /** Ends it, waits up to `settleMs` for what is open, and returns everything that is known of it. */
  finish(settleMs: number): Promise<Result>
  close(): Promise<unknown>
}

const countEveryMs = 200
const closeMs = 2_000

/**
 * Does what the parent process orders, in this one: what is left unhandled is counted, and nobody else is slowed by it.
 */
export function serveWork<Setup, Count, Result>(begin: (setup: Setup) => Promise<Work<Count, Result>>): void {
  const unhandled: string[] = []
  process.on('unhandledRejection', (reason) => unhandled.push(`rejection: ${String(reason)}`))
  process.on('uncaughtException', (error) => unhandled.push(`exception: ${error.message}`))
  // Whoever started this process is gone: so is the reason to be here.
  process.on('disconnect', () => process.exit(0))
  const tell = (report: Report<Count, Result>): Promise<void> =>
    new Promise((resolve) => process.send?.(report, () => resolve()))
  let stop: ((settleMs: number) => Promise<void>) | undefined
  const start = async (setup: Setup): Promise<void> => {
    const work = await begin(setup)
    const counting = setInterval(() => void tell({ kind: 'count', count: work.count() }), countEveryMs)
    stop = async (settleMs) => {
      const result = await work.finish(settleMs)
      clearInterval(counting)
      await tell({ kind: 'done', result: { ...result, unhandled: [...unhandled] } })
      // Work that cannot end is not waited for: everything is told.
      await Promise.race([work.close(), sleep(closeMs)])
      process.exit(0)
    }
    await tell({ kind: 'ready' })
  }
  process.on('message', (order: Order<Setup>) => {
    if (order.kind === 'stop') void stop?.(order.settleMs)
    else start(order.setup).catch((error: unknown) => tell({ kind: 'failed', error: String(error) }))
  })
}
