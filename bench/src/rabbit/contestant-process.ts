// One contestant in a process of its own.
import { serveWork } from '../harness/serve-work.ts'
import { wallMs } from '../harness/wall-clock.ts'
import type { Note } from '../harness/worker-messages.ts'
import type { Outcome, Setup } from './contestant-run.ts'
import { contestantNamed } from './contestants.ts'
import { Traffic, type TrafficCount } from './traffic.ts'

serveWork<Setup, TrafficCount, Outcome>(async (setup) => {
  const notes: Note[] = []
  const traffic = new Traffic((content) => contestant.publish(content), setup.ratePerSecond)
  const contestant = await contestantNamed(setup.contestant).start({
    endpoints: setup.endpoints,
    queue: setup.queue,
    consumeArguments: setup.consumeArguments,
    retryMs: setup.retryMs,
    onMessage: (content, redelivered) => traffic.consume(content, redelivered),
    onNote: (text) => notes.push({ atMs: wallMs(), text }),
  })
  traffic.start()
  return {
    count: () => traffic.count,
    async finish(settleMs) {
      traffic.stop()
      await traffic.settled(settleMs)
      return { ledger: traffic.ledger(), notes }
    },
    close: () => contestant.close(),
  }
})
