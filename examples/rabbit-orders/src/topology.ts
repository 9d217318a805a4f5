import { fanout, quorum, type Topology, topic } from '@ha/rabbit'

/** Everything that this service needs on the broker. It is declared at the start, and again after each failover. */
export const topology: Topology = {
  exchanges: {
    orders: topic(),
    'orders.failed': fanout(),
  },
  queues: {
    // What fails five times goes to the queue beside, where somebody can look at it.
    billing: quorum({ deadLetterExchange: 'orders.failed', deliveryLimit: 5 }),
    'billing.failed': quorum(),
  },
  bindings: [
    { exchange: 'orders', queue: 'billing', key: 'order.*' },
    { exchange: 'orders.failed', queue: 'billing.failed' },
  ],
}
