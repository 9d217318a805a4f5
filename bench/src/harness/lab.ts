import { findLabs, installServers, type Lab, startLab } from '@ha/bootstrap'
import { isHaError } from '@ha/core'

/** What is to be started. */
type LabRequest = Parameters<typeof startLab>[0]

/** Why there are no servers of this kind to be had, in one line; undefined when there are. */
export async function missingServers(kind: LabRequest['kind']): Promise<string | undefined> {
  try {
    const onProgress = (text: string): unknown => process.stdout.write(text)
    const outcome = await installServers({ kinds: [kind], onProgress })
    return outcome.kind === 'ask' ? outcome.command : undefined
  } catch (error) {
    if (!isHaError(error)) throw error
    return error.message
  }
}

/** Runs `work` on a real cluster; it is gone afterwards. `words` say which one, such as `a RabbitMQ cluster of three`. */
export async function withLab<T>(
  {
    purpose,
    description,
    request,
  }: { readonly purpose: string; readonly description: string; readonly request: LabRequest },
  work: (lab: Lab) => Promise<T>,
): Promise<T> {
  const missing = await missingServers(request.kind)
  if (missing !== undefined)
    throw new Error(`no servers are available for ${description} on this machine: ${missing}`)
  await endLeftovers(purpose)
  const interrupt = listenForInterrupt()
  const name = `${purpose}-${process.pid}`
  console.log(`Starting ${description} on this machine (lab '${name}') ...`)
  const startedAt = performance.now()
  const seconds = (): string => ((performance.now() - startedAt) / 1_000).toFixed(1)
  const lab = await startLab(request, {
    name,
    signal: interrupt.signal,
    onEvent: (event) => {
      if (event.type === 'process-up') console.log(`  ${event.process} is up after ${seconds()} s`)
    },
  })
  try {
    console.log(`Version ${lab.version}: the cluster is complete after ${seconds()} s.`)
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
    // The process exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The wish of a user to end the run. */
interface Interrupt {
  readonly signal: AbortSignal
  /** Rejects when the user ends the run. */
  readonly fired: Promise<never>
  readonly end: () => void
}

/** Ctrl-C, a closed terminal and a polite kill end the lab before they end the process. */
function listenForInterrupt(): Interrupt {
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

/** The user ended the run; everything that it had started is ended as well. */
export class Interrupted extends Error {}
