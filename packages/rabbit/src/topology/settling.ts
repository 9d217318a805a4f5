import type { Link } from '@ha/core'
import type { AmqpConnection } from '../amqp/connection.ts'

type Ledger = Link<AmqpConnection>['desiredState']

/** Waits until a declaration is settled; `onWait` is called before each wait. Rejects when it was refused for good. */
export async function whenSettled(
  ledger: Ledger,
  key: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<void> {
  while (!ledger.isSettled(key)) {
    onWait()
    await ledger.changed.wait(signal)
  }
  await ledger.whenSettled(key, signal)
}

/** What the last try of a declaration failed with, or undefined when none did, or when another try is under way. */
export function lastFailure(ledger: Ledger, key: string): Error | undefined {
  const standing = ledger.standing(key)
  return standing?.kind === 'retrying' ? standing.error : undefined
}
