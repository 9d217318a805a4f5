import type { Lab } from '@ha/bootstrap'
import { withLab as withAnyLab } from '../harness/lab.ts'

/** Runs `work` on a real RabbitMQ cluster of three with timers that fit a client (1 s); it is gone afterwards. */
export function withLab<T>(purpose: string, work: (lab: Lab) => Promise<T>): Promise<T> {
  const wanted = { kind: 'rabbitmq', nodes: 3, detectMs: 1_000 } as const
  return withAnyLab({ purpose, words: 'a RabbitMQ cluster of three', wanted }, work)
}
