// Starts the whole system and prints how it goes, until Ctrl-C: hang a gateway by hand, and look.
import { setTimeout } from 'node:timers/promises'
import { say } from './say.ts'
import { onStage, type Stage } from './stage.ts'
import { untilInterrupted } from './until-interrupted.ts'

await untilInterrupted((signal) => onStage(signal, (stage) => watch(stage, signal)))

async function watch({ gateways, tally, mailboxes }: Stage, signal: AbortSignal): Promise<void> {
  for (const { id, port, metadata } of gateways.all()) {
    const { pid } = metadata
    say(`${id} is on port ${port}; to hang it: kill -STOP ${pid}, and to wake it: kill -CONT ${pid}`)
  }
  for (;;) {
    await setTimeout(2_000, undefined, { signal })
    const { accepted, delivered } = await tally()
    const cluster = gateways.all().map(({ id }) => id)
    const waiting = JSON.stringify(await mailboxes())
    say(`in the cluster ${cluster}; sent ${accepted}, delivered ${delivered}, in mailboxes ${waiting}`)
  }
}
