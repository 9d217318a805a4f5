import { Interrupted } from './interrupted.ts'

/** The wish of a user to end the run. */
export interface Interrupt {
  readonly signal: AbortSignal
  /** Rejects when the user ends the run. */
  readonly fired: Promise<never>
  readonly end: () => void
}

/** Ctrl-C, a closed terminal and a polite kill end the lab before they end the process. */
export function interruptible(): Interrupt {
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
