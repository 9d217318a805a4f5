import { findLabs, installServers, type Lab, startLab } from '@ha/bootstrap'
import { isHaError } from '@ha/core'
import { Interrupted } from '../harness/interrupted.ts'

/** Why there is no server to be had, in one line; undefined when there is. */
export async function missingServers(): Promise<string | undefined> {
  try {
    const outcome = await installServers({ onProgress: (text) => process.stdout.write(text) })
    return outcome.kind === 'ask' ? outcome.command : undefined
  } catch (error) {
    if (!isHaError(error)) throw error
    return error.message
  }
}

/** Runs `work` on a real RabbitMQ cluster of three with timers that fit a client (1 s); it is gone afterwards. */
export async function withLab<T>(purpose: string, work: (lab: Lab) => Promise<T>): Promise<T> {
  const missing = await missingServers()
  if (missing !== undefined) throw new Error(`there is no RabbitMQ on this machine: ${missing}`)
  await endLeftovers(purpose)
  const interrupt = interruptible()
  const name = `${purpose}-${process.pid}`
  console.log(`Starting a RabbitMQ cluster of three on this machine (lab '${name}') ...`)
  const startedAt = performance.now()
  const seconds = (): string => ((performance.now() - startedAt) / 1_000).toFixed(1)
  const lab = await startLab(
    { kind: 'rabbitmq', nodes: 3, detectMs: 1_000 },
    {
      name,
      signal: interrupt.signal,
      onEvent: (event) => {
        if (event.type === 'process-up') console.log(`  ${event.process} is up after ${seconds()} s`)
      },
    },
  )
  try {
    console.log(`RabbitMQ ${lab.version}: all three agree after ${seconds()} s.`)
    return await Promise.race([work(lab), interrupt.fired])
  } finally {
    interrupt.end()
    await lab.down()
  }
}

// A run that was killed leaves its lab; it is known by the process that is no more.
async function endLeftovers(purpose: string): Promise<void> {
  for (const lab of findLabs()) {
    const pid = new RegExp(`^${purpose}-(\\d+)$`).exec(lab.name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await lab.down()
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It lives and is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

interface Interrupt {
  readonly signal: AbortSignal
  /** Rejects when the user ends the run. */
  readonly fired: Promise<never>
  readonly end: () => void
}

/** Ctrl-C, a closed terminal and a polite kill end the lab before they end the process. */
function interruptible(): Interrupt {
  const controller = new AbortController()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const onSignal = (name: NodeJS.Signals): void => controller.abort(new Interrupted(`ended by ${name}`))
  for (const name of names) process.on(name, onSignal)
  const fired = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason))
  })
  fired.catch(() => undefined)
  const end = (): void => {
    for (const name of names) process.off(name, onSignal)
  }
  return { signal: controller.signal, fired, end }
}
