// One client in a process of its own.
import { serveWork } from '../harness/serve-work.ts'
import { wallMs } from '../harness/wall-clock.ts'
import type { ClientEvent, Outcome, Setup } from './client-run.ts'
import { contestantNamed } from './contestants.ts'
import { Traffic, type TrafficCount } from './traffic.ts'

serveWork<Setup, TrafficCount, Outcome>(async ({ contestant: name, rates, ...setup }) => {
  const events: ClientEvent[] = []
  const contestant = await contestantNamed(name).start({
    ...setup,
    onEvent: (event, facts) => events.push({ atMs: wallMs(), name: event, facts }),
  })
  const traffic = new Traffic(contestant, rates)
  traffic.start()
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
