// Takes orders and writes an invoice for each. Start it, kill a broker, and read what it prints.
//   AMQP_URL=amqp://guest:guest@rabbit1,rabbit2,rabbit3 node dist/service.js
import { createRabbit, isHaError } from '@ha/rabbit'
import { Invoices } from './invoices.ts'
import { topology } from './topology.ts'

interface Order {
  readonly number: number
  readonly total: number
}

const rabbit = createRabbit(process.env['AMQP_URL'] ?? 'amqp://localhost', { name: 'orders', topology })
const invoices = new Invoices()

rabbit.events.on('failover', ({ role, from, to, cause, detectMs, dialMs, restoreMs, replayed }) => {
  const tookMs = Math.round(detectMs + dialMs + restoreMs)
  console.log(
    `${role}: failover from ${from} (${cause}) to ${to} in ${tookMs} ms, ${replayed} messages resent`,
  )
})
rabbit.events.on('handlerFailed', ({ queue, messageId, error }) => {
  console.log(`${queue}: handler failed for ${messageId}: ${error.message}`)
})

// A message may arrive twice. The message id identifies the duplicate.
rabbit.consume<Order>('billing', ({ body, messageId }) => invoices.write(messageId ?? '', body.total))

const orders = rabbit.publisher<Order>({ exchange: 'orders', key: 'order.new' })
let taken = 0
const orderTimer = setInterval(() => void placeOrder({ number: ++taken, total: 10 }), 20)

async function placeOrder(order: Order): Promise<void> {
  try {
    await orders.publish(order, { timeoutMs: 30_000 })
  } catch (error) {
    // `not-done`: the broker does not have the order, publish it again. `unknown`: check before you publish it again.
    if (!isHaError(error)) throw error
    console.log(`order ${order.number}: ${error.outcome} (${error.code})`)
  }
}

process.once('SIGTERM', () => void shutDown())
process.once('SIGINT', () => void shutDown())

async function shutDown(): Promise<void> {
  clearInterval(orderTimer)
  const { confirmed, unknown, notSent } = await rabbit.close({ timeoutMs: 10_000 })
  console.log(
    JSON.stringify({ taken, invoiced: invoices.count, atShutdown: { confirmed, unknown, notSent } }),
  )
}

await rabbit.ready()
console.log('ready')
