// One contender for the lock in a process of its own.
import { createZookeeper } from '@ha/zookeeper'
import type { ClientEvent } from '../harness/client-event.ts'
import { serveWork } from '../harness/serve-work.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { Contender } from './contender.ts'
import type { ContenderCount, ContenderOutcome, ContenderSetup } from './contender-run.ts'
import { tellEvents } from './ours.ts'
import { StoreClient } from './store-client.ts'

serveWork<ContenderSetup, ContenderCount, ContenderOutcome>(
  async ({ name, connect, sessionTimeoutMs, lock, storePort, holdMs }) => {
    const events: ClientEvent[] = []
    const zookeeper = createZookeeper({ connect, sessionTimeoutMs })
    tellEvents(zookeeper, (event, facts) => events.push({ atMs: wallMs(), name: event, facts }))
    await zookeeper.ready()
    const store = await StoreClient.dial(storePort, name)
    const contender = new Contender(name, { lock: zookeeper.lock(lock), store, holdMs })
    const running = contender.run()
    return {
      count: () => ({ acquired: contender.acquired }),
      async finish() {
        contender.stop()
        await running
        return { ...contender.outcome, events }
      },
      async close() {
        store.close()
        await zookeeper.close()
      },
    }
  },
)
