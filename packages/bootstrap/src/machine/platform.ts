import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { labError } from '../model/codes.ts'

/** Whether processes can be told apart by pid and start time, as on Linux. */
export function hasProc(): boolean {
  return existsSync('/proc/self/stat')
}

/** The IPv4 address of `localhost`; empty when it has none. */
export async function resolveLocalhost(): Promise<string> {
  try {
    return (await lookup('localhost', { family: 4 })).address
  } catch {
    // Not resolving is an answer.
    return ''
  }
}

/** Refuses a machine that cannot carry a lab. */
export async function checkPlatform(): Promise<void> {
  if (!hasProc())
    throw labError('platform-unfit', 'labs need Linux: there is no /proc here; see: hactl doctor')
  const address = await resolveLocalhost()
  if (address === '127.0.0.1') return
  const shown = address === '' ? 'does not resolve' : `is ${address}`
  throw labError('platform-unfit', `localhost ${shown}, and nodes join by that name; type: hactl doctor`)
}
