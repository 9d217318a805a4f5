// Starts the whole system and prints its state until Ctrl-C. Suspend a gateway by hand to see what happens.
import { setTimeout } from 'node:timers/promises'
import { type DemoSystem, runDemo } from './demo-system.ts'
import { log } from './log.ts'
import { runUntilInterrupted } from './run-until-interrupted.ts'

await runUntilInterrupted((signal) => runDemo(signal, (system) => watch(system, signal)))

async function watch({ gateways, counts, mailboxes }: DemoSystem, signal: AbortSignal): Promise<void> {
  for (const { id, port, metadata } of gateways.all()) {
    const { pid } = metadata
    log(`${id} is on port ${port}; to suspend it: kill -STOP ${pid}, to resume it: kill -CONT ${pid}`)
  }
  for (;;) {
    await setTimeout(2_000, undefined, { signal })
    const { accepted, delivered } = await counts()
    const cluster = gateways.all().map(({ id }) => id)
    const waiting = JSON.stringify(await mailboxes())
    log(`in the cluster ${cluster}; sent ${accepted}, delivered ${delivered}, in mailboxes ${waiting}`)
  }
}
