// Suspends a gateway, resumes it, and counts the messages. The exit code is 1 if a message was lost or reordered.
import { setTimeout } from 'node:timers/promises'
import type { Instance } from '@ha/zookeeper'
import { type DemoSystem, runDemo } from './demo-system.ts'
import { log } from './log.ts'
import { runUntilInterrupted } from './run-until-interrupted.ts'
import { waitUntil } from './wait-until.ts'

const victim = 'gw2'

await runUntilInterrupted((signal) => runDemo(signal, (system) => runScenario(system, signal)))

async function runScenario(system: DemoSystem, signal: AbortSignal): Promise<void> {
  const limit = { timeoutMs: 15_000, signal }
  await runFor(system, 3_000, signal)

  // On a busy machine the gateway may be withdrawn as slow at this moment.
  await waitUntil(`${victim} is registered`, () => victimInstance(system) !== undefined, limit)
  const pid = Number(victimInstance(system)?.metadata['pid'])
  process.kill(pid, 'SIGSTOP')
  log(`${victim} hangs (SIGSTOP to process ${pid})`)
  try {
    const goneMs = await waitUntil(
      `${victim} is withdrawn`,
      () => victimInstance(system) === undefined,
      limit,
    )
    log(`${victim} is withdrawn after ${goneMs} ms; its process can be inspected`)
    await runFor(system, 4_000, signal)
  } finally {
    process.kill(pid, 'SIGCONT')
  }

  log(`${victim} resumes (SIGCONT)`)
  const backMs = await waitUntil(
    `${victim} is registered again`,
    () => victimInstance(system) !== undefined,
    limit,
  )
  log(`${victim} is registered again after ${backMs} ms`)
  const emptyMs = await waitUntil('the mailboxes are empty', () => mailboxesAreEmpty(system), limit)
  log(`the mailboxes are empty ${emptyMs} ms later`)
  await runFor(system, 2_000, signal)

  await system.users.stopSending()
  await waitUntil('the mailboxes are empty at the end', () => mailboxesAreEmpty(system), limit)
  const counts = await system.counts()
  log(JSON.stringify(counts))
  if (counts.lost !== 0 || counts.outOfOrder !== 0) process.exitCode = 1
}

function victimInstance({ gateways }: DemoSystem): Instance | undefined {
  return gateways.all().find(({ id }) => id === victim)
}

async function mailboxesAreEmpty({ mailboxes }: DemoSystem): Promise<boolean> {
  return Object.keys(await mailboxes()).length === 0
}

async function runFor(system: DemoSystem, forMs: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = forMs; leftMs > 0; leftMs -= 1_000) {
    await setTimeout(1_000, undefined, { signal })
    const { accepted, delivered } = await system.counts()
    log(`sent ${accepted}, delivered ${delivered}, in mailboxes ${JSON.stringify(await system.mailboxes())}`)
  }
}
