import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from '../machine/search-path.ts'
import { labError } from '../model/codes.ts'
import type { Network } from '../model/network.ts'

/** In the environment of everything in a sandbox: the folder of the sandbox. */
export const sandboxVariable = 'HACTL_SANDBOX'

/** On which network labs of this process are: that of its sandbox when it is in one. */
export function findNetwork(environment: Environment): Network {
  const folder = environment[sandboxVariable] ?? ''
  if (folder === '') return { kind: 'loopback' }
  if (isInside(folder)) return { kind: 'sandbox', folder }
  throw labError(
    'platform-unfit',
    `${sandboxVariable} is set, and this process is not in the sandbox of ${folder}; type: unset ${sandboxVariable}`,
  )
}

/** The file that says which network namespace applications in the sandbox are in. */
export function clientsFile(folder: string): string {
  return join(folder, 'clients')
}

/** Which network namespace this process is in, as the kernel names it. */
export function ownNamespace(): string {
  return readlinkSync('/proc/self/ns/net')
}

function isInside(folder: string): boolean {
  const path = clientsFile(folder)
  return existsSync(path) && readFileSync(path, 'utf8') === ownNamespace()
}
