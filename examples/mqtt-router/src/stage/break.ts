// Hangs a gateway and lets it come back, and counts: nothing may be lost. The exit code says whether it was.
import { setTimeout } from 'node:timers/promises'
import type { Instance } from '@ha/zookeeper'
import { say } from './say.ts'
import { onStage, type Stage } from './stage.ts'
import { until } from './until.ts'
import { untilInterrupted } from './until-interrupted.ts'

const victim = 'gw2'

await untilInterrupted((signal) => onStage(signal, (stage) => tell(stage, signal)))

async function tell(stage: Stage, signal: AbortSignal): Promise<void> {
  const limit = { timeoutMs: 15_000, signal }
  await goOn(stage, 3_000, signal)

  // On a machine that is very busy it may be withdrawn as slow at this moment.
  await until(`${victim} is well`, () => listed(stage) !== undefined, limit)
  const pid = Number(listed(stage)?.metadata['pid'])
  process.kill(pid, 'SIGSTOP')
  say(`${victim} hangs (SIGSTOP to process ${pid})`)
  try {
    const goneMs = await until(`${victim} is withdrawn`, () => listed(stage) === undefined, limit)
    say(`${victim} is withdrawn after ${goneMs} ms; its process is there to be looked at`)
    await goOn(stage, 4_000, signal)
  } finally {
    process.kill(pid, 'SIGCONT')
  }

  say(`${victim} is awake (SIGCONT)`)
  const backMs = await until(`${victim} is back`, () => listed(stage) !== undefined, limit)
  say(`${victim} is back after ${backMs} ms`)
  const emptyMs = await until('the mailboxes are empty', () => isDelivered(stage), limit)
  say(`the mailboxes are empty ${emptyMs} ms later`)
  await goOn(stage, 2_000, signal)

  await stage.people.stopSending()
  await until('the mailboxes are empty at the end', () => isDelivered(stage), limit)
  const counts = await stage.tally()
  say(JSON.stringify(counts))
  if (counts.lost !== 0 || counts.outOfOrder !== 0) process.exitCode = 1
}

function listed({ gateways }: Stage): Instance | undefined {
  return gateways.all().find(({ id }) => id === victim)
}

async function isDelivered({ mailboxes }: Stage): Promise<boolean> {
  return Object.keys(await mailboxes()).length === 0
}

async function goOn(stage: Stage, forMs: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = forMs; leftMs > 0; leftMs -= 1_000) {
    await setTimeout(1_000, undefined, { signal })
    const { accepted, delivered } = await stage.tally()
    say(`sent ${accepted}, delivered ${delivered}, in mailboxes ${JSON.stringify(await stage.mailboxes())}`)
  }
}
