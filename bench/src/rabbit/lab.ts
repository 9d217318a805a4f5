import { findLabs, installServers, type Lab, startLab } from '@ha/bootstrap'

/** Why there is no lab to be had, in one line; undefined when there is. */
export async function missingServers(): Promise<string | undefined> {
  const outcome = await installServers({ onProgress: (text) => process.stdout.write(text) })
  return outcome.kind === 'ask' ? outcome.command : undefined
}

/** Runs `work` on a real RabbitMQ cluster of three, which is gone afterwards; with timers that fit a client (1 s). */
export async function withLab<T>(name: string, work: (lab: Lab) => Promise<T>): Promise<T> {
  const command = await missingServers()
  if (command !== undefined) throw new Error(`there is no RabbitMQ on this machine; type: ${command}`)
  await endLeftover(name)
  const startedAt = performance.now()
  console.log(`Starting a RabbitMQ cluster of three on this machine (lab '${name}') ...`)
  const lab = await startLab({ kind: 'rabbitmq', nodes: 3, detectMs: 1_000 }, { name })
  const endIt = (): void => void lab.down().finally(() => process.exit(130))
  process.once('SIGINT', endIt)
  try {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    console.log(`RabbitMQ ${lab.version}: all three agree after ${seconds} s.`)
    return await work(lab)
  } finally {
    process.off('SIGINT', endIt)
    await lab.down()
  }
}

// A run that was killed leaves its lab; the next one takes its place.
async function endLeftover(name: string): Promise<void> {
  await findLabs()
    .find((lab) => lab.name === name)
    ?.down()
}
