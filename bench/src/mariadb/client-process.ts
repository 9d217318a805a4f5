// One client in a process of its own.
import type { ClientEvent } from '../harness/client-event.ts'
import { serveWork } from '../harness/serve-work.ts'
import type { TrafficCount } from '../harness/traffic.ts'
import { wallMs } from '../harness/wall-clock.ts'
import type { Outcome, Setup } from './client-run.ts'
import { contestantNamed } from './contestants.ts'
import { startTraffic } from './traffic.ts'

serveWork<Setup, TrafficCount, Outcome>(async ({ contestant: name, rates, ...setup }) => {
  const events: ClientEvent[] = []
  const contestant = await contestantNamed(name).start({
    ...setup,
    onEvent: (event, facts) => events.push({ atMs: wallMs(), name: event, facts }),
  })
  const traffic = startTraffic(contestant, rates)
  return {
    count: () => traffic.count,
    async finish(settleMs) {
      traffic.stop()
      await traffic.settled(settleMs)
      return { ops: traffic.ops, events }
    },
    close: () => contestant.close(),
  }
})
