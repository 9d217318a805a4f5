// Takes orders and bills them. Start it, kill a broker, and read what it prints.
//   RABBITMQ_URL=amqp://guest:guest@rabbit1,rabbit2,rabbit3 node dist/service.js
import { createRabbit, isHaError } from '@ha/rabbit'
import { Invoices } from './invoices.ts'
import { topology } from './topology.ts'

/** An order as it travels. */
interface Order {
  readonly number: number
  readonly total: number
}

const rabbit = createRabbit(process.env['RABBITMQ_URL'] ?? 'amqp://localhost', { name: 'orders', topology })
const invoices = new Invoices()

rabbit.events.on('failover', ({ role, from, to, cause, detectMs, dialMs, restoreMs, replayed }) => {
  const tookMs = Math.round(detectMs + dialMs + restoreMs)
  console.log(`${role}: ${from} ${cause}, on with ${to} after ${tookMs} ms, ${replayed} sent again`)
})
rabbit.events.on('handlerFailed', ({ queue, messageId, error }) => {
  console.log(`${queue}: ${messageId} failed: ${error.message}`)
})

// A receipt may say `maybeDuplicate`; the message id is what tells the second copy from the first.
rabbit.consume<Order>('billing', ({ body, messageId }) => invoices.write(messageId ?? '', body.total))

const orders = rabbit.publisher<Order>({ exchange: 'orders', key: 'order.new' })
let taken = 0
const shop = setInterval(() => void take({ number: ++taken, total: 10 }), 20)

async function take(order: Order): Promise<void> {
  try {
    await orders.publish(order, { timeoutMs: 30_000 })
  } catch (error) {
    // `not-done`: nobody has it, take it again. `unknown`: ask before you do.
    if (!isHaError(error)) throw error
    console.log(`order ${order.number}: ${error.outcome} (${error.code})`)
  }
}

process.once('SIGTERM', () => void end())
process.once('SIGINT', () => void end())

async function end(): Promise<void> {
  clearInterval(shop)
  const { confirmed, unknown, notSent } = await rabbit.close({ timeoutMs: 10_000 })
  console.log(JSON.stringify({ taken, billed: invoices.count, atTheEnd: { confirmed, unknown, notSent } }))
}

await rabbit.ready()
console.log('ready')
