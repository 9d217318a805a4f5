// One client in a process of its own.
import type { ClientEvent } from '../harness/client-event.ts'
import { serveWork } from '../harness/serve-work.ts'
import type { TrafficCount } from '../harness/traffic.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { startAttached } from './attached.ts'
import type { ClientOutcome, ClientSetup } from './client-run.ts'
import { contestantNamed } from './contestants.ts'
import { startTraffic } from './traffic.ts'

const lookEveryMs = 25

serveWork<ClientSetup, TrafficCount, ClientOutcome>(async ({ contestant: name, rates, place, ...setup }) => {
  const events: ClientEvent[] = []
  const tell = (event: string, facts: ClientEvent['facts']): unknown =>
    events.push({ atMs: wallMs(), name: event, facts })
  const contestant = await startAttached(contestantNamed(name), { ...setup, onEvent: tell }, place)
  const traffic = startTraffic(contestant, rates)
  let attachedTo = contestant.attachedTo()
  const looking = setInterval(() => {
    const now = contestant.attachedTo()
    if (now !== undefined && now !== attachedTo) tell('attached', { from: attachedTo, to: now })
    attachedTo = now ?? attachedTo
  }, lookEveryMs)
  return {
    count: () => traffic.count,
    async finish(settleMs) {
      traffic.stop()
      await traffic.settled(settleMs)
      clearInterval(looking)
      return { ops: traffic.ops, events }
    },
    close: () => contestant.close(),
  }
})
