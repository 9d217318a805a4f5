import { fanout, quorum, type Topology, topic } from '@ha/rabbit'

/** Everything that this service needs on the broker. It is declared at start-up and after each failover. */
export const topology: Topology = {
  exchanges: {
    orders: topic(),
    'orders.failed': fanout(),
  },
  queues: {
    // An order that fails five times moves to `billing.failed`, for inspection.
    billing: quorum({ deadLetterExchange: 'orders.failed', deliveryLimit: 5 }),
    'billing.failed': quorum(),
  },
  bindings: [
    { exchange: 'orders', queue: 'billing', key: 'order.*' },
    { exchange: 'orders.failed', queue: 'billing.failed' },
  ],
}
