import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createRabbit, quorum, type Rabbit } from '@ha/rabbit'
import { Traffic } from '../harness/traffic.ts'
import type { PublicCall } from './misuse.ts'
import { outcomeOf, type Verdict, type Workload } from './workload.ts'

const ratePerSecond = 40
const queue = 'chaos'
// How long the rest may take to arrive once all nodes agree.
const restMs = 60_000
const quietMs = 3_000

/** Publishes numbered messages, and consumes them. */
export async function startRabbitWorkload(lab: Lab, losses: () => number): Promise<Workload> {
  const rabbit = createRabbit({
    addresses: lab.nodes.map(({ endpoint }) => `${endpoint.host}:${endpoint.port}`),
    topology: { queues: { [queue]: quorum(), [`${queue}-misuse`]: quorum() } },
  })
  const arrived = new Map<number, number>()
  let lastAtMs = performance.now()
  rabbit.consume<{ readonly id: number }>(queue, async ({ body }) => {
    lastAtMs = performance.now()
    arrived.set(body.id, (arrived.get(body.id) ?? 0) + 1)
  })
  const publisher = rabbit.publisher({ key: queue })
  await rabbit.ready()
  const traffic = new Traffic<{ readonly kind: 'publish' }>({ isWrite: () => true, explain: outcomeOf })
  const duplicates = new Set<number>()
  traffic.start({ publish: ratePerSecond }, () =>
    traffic.note({ kind: 'publish' }, async (id) => {
      if ((await publisher.publish({ id })).maybeDuplicate) duplicates.add(id)
    }),
  )
  return {
    system: 'rabbit',
    lab,
    losses,
    calls: rabbitCalls(rabbit),
    async stop() {
      traffic.stop()
      await traffic.settled(restMs)
    },
    async verify() {
      const untilMs = performance.now() + restMs
      while (performance.now() < untilMs && performance.now() - lastAtMs < quietMs) await sleep(100)
      return judge(traffic, arrived, duplicates)
    },
    close: async () => void (await rabbit.close()),
  }
}

function judge(
  { ops }: Traffic<{ readonly kind: 'publish' }>,
  arrived: ReadonlyMap<number, number>,
  duplicates: ReadonlySet<number>,
): Verdict {
  const of = (outcome: string) => ops.filter((op) => op.outcome === outcome)
  return {
    operations: ops.length,
    done: of('done').length,
    notDone: of('not-done').length,
    unknown: of('unknown').length,
    unsettled: of('unsettled').length,
    lost: of('done').filter(({ id }) => !arrived.has(id)).length,
    wronglyNotDone: of('not-done').filter(({ id }) => arrived.has(id)).length,
    // The consumer may see a message again after a lost acknowledgement: at-least-once, not counted here.
    twice: of('done').filter(({ id }) => (arrived.get(id) ?? 0) > 1 && !duplicates.has(id)).length,
  }
}

function rabbitCalls(rabbit: Rabbit): readonly PublicCall[] {
  const spare = `${queue}-misuse`
  const publisher = rabbit.publisher({ key: spare })
  const options = { timeoutMs: 3_000 }
  return [
    {
      name: 'publisher.publish',
      args: [{ id: -1 }, { key: spare, headers: { a: 1 }, ...options }],
      call: (body, more) => publisher.publish(body, more as never),
    },
    ...(
      ['key', 'exchange', 'headers', 'messageId', 'priority', 'expirationMs', 'timeoutMs', 'signal'] as const
    ).map(
      (option): PublicCall => ({
        name: `publisher.publish.${option}`,
        args: [undefined],
        call: (value) => publisher.publish({ id: -1 }, { ...options, [option]: value } as never),
      }),
    ),
    {
      name: 'publisher',
      args: [{ key: spare }],
      call: (more) => void rabbit.publisher(more as never),
    },
    {
      name: 'consume',
      args: [spare, async () => undefined, { prefetch: 1 }],
      call: (name, handler, more) => rabbit.consume(name as never, handler as never, more as never),
    },
    {
      name: 'request',
      args: [spare, { id: -1 }, { ...options, repeatable: true }],
      call: (target, body, more) => rabbit.request(target as never, body, more as never),
    },
    {
      name: 'respond',
      args: [spare, async () => 1, { prefetch: 1 }],
      call: (name, handler, more) => rabbit.respond(name as never, handler as never, more as never),
    },
    {
      name: 'withChannel',
      args: [async () => 1, options],
      call: (work, more) => rabbit.withChannel(work as never, more as never),
    },
    { name: 'ready', args: [options], call: (more) => rabbit.ready(more as never) },
    { name: 'nameOf', args: [spare], call: (name) => rabbit.nameOf(name as never) },
  ]
}
