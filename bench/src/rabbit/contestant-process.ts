// One contestant in a process of its own: what it leaves unhandled is counted, and nobody else is slowed by it.
import type { Note, Order, Report } from './contestant-messages.ts'
import { contestantNamed } from './contestants.ts'
import { Traffic, wallMs } from './traffic.ts'

const notes: Note[] = []
const unhandled: string[] = []
process.on('unhandledRejection', (reason) => unhandled.push(`rejection: ${String(reason)}`))
process.on('uncaughtException', (error) => unhandled.push(`exception: ${error.message}`))
// Whoever started this process is gone: so is the reason to be here.
process.on('disconnect', () => process.exit(0))

let stop: ((settleMs: number) => Promise<void>) | undefined

process.on('message', (order: Order) => {
  if (order.kind === 'stop') void stop?.(order.settleMs)
  else start(order).catch((error: unknown) => tell({ kind: 'failed', error: String(error) }))
})

async function start(order: Extract<Order, { readonly kind: 'start' }>): Promise<void> {
  const maker = contestantNamed(order.contestant)
  const traffic = new Traffic((content) => contestant.publish(content), order.ratePerSecond)
  const contestant = await maker.start({
    endpoints: order.endpoints,
    queue: order.queue,
    consumeArguments: order.consumeArguments,
    retryMs: order.retryMs,
    onMessage: (content, redelivered) => traffic.consume(content, redelivered),
    onNote: (text) => notes.push({ atMs: wallMs(), text }),
  })
  traffic.start()
  const counting = setInterval(() => tell({ kind: 'count', count: traffic.count }), 200)
  stop = async (settleMs) => {
    traffic.stop()
    await traffic.settled(settleMs)
    clearInterval(counting)
    const result = { ledger: traffic.ledger(), notes, unhandled: [...unhandled] }
    await new Promise((resolve) => process.send?.({ kind: 'done', result } satisfies Report, resolve))
    // A client that cannot end is not waited for: the ledger is complete.
    await Promise.race([contestant.close(), new Promise((resolve) => setTimeout(resolve, 2_000))])
    process.exit(0)
  }
  tell({ kind: 'ready' })
}

function tell(report: Report): void {
  process.send?.(report)
}
