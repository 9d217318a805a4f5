import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { doctor } from '@ha/bootstrap'

/** Whether there is a sandbox of hactl, where servers can be cut off from each other, for this process. */
export type Sandbox =
  | { readonly kind: 'inside' }
  | { readonly kind: 'available' }
  /** `because` says why, and what to type. */
  | { readonly kind: 'missing'; readonly because: string }

// What doctor has no command for: whoever may make no namespaces has to become somebody who may.
const asSomebodyElse = 'type it again as root, or in a container that may make namespaces'

/** Looks whether this process is in a sandbox, or could be in one. */
export async function findSandbox(): Promise<Sandbox> {
  if (process.env['HACTL_SANDBOX'] !== undefined) return { kind: 'inside' }
  const finding = (await doctor({ kinds: [] })).find(({ about }) => about === 'sandbox')
  if (finding?.level === 'ok') return { kind: 'available' }
  const { says = 'hactl doctor does not know why', fix } = finding ?? {}
  return { kind: 'missing', because: `${says}; ${fix === undefined ? asSomebodyElse : `type: ${fix}`}` }
}

/** Runs the same command again in a sandbox; false when it fails there. */
export async function againInSandbox(): Promise<boolean> {
  const hactl = fileURLToPath(new URL('./cli/hactl.js', import.meta.resolve('@ha/bootstrap')))
  const { execPath, argv } = process
  const words = [hactl, 'sandbox', '--', execPath, ...argv.slice(1)]
  const child = spawn(execPath, words, { stdio: 'inherit' })
  // An interrupt from the terminal reaches the sandbox as well, which ends what is in it first.
  const wait = (): undefined => undefined
  const passOn = (): void => void child.kill('SIGTERM')
  process.on('SIGINT', wait)
  process.on('SIGTERM', passOn)
  try {
    const [status] = await once(child, 'close')
    return status === 0
  } finally {
    process.off('SIGINT', wait)
    process.off('SIGTERM', passOn)
  }
}
