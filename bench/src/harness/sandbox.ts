import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { doctor } from '@ha/bootstrap'

/** Whether there is a sandbox of hactl, where servers can be cut off from each other, for this process. */
type Sandbox =
  | { readonly kind: 'inside' }
  | { readonly kind: 'available' }
  /** `because` says why, and what to type. */
  | { readonly kind: 'missing'; readonly because: string }

// Used when doctor has no command: the process lacks the privilege to create namespaces.
const privilegesHint = 'type it again as root, or in a container that may make namespaces'

/** Looks whether this process is in a sandbox, or could be in one. */
async function findSandbox(): Promise<Sandbox> {
  if (process.env['HACTL_SANDBOX'] !== undefined) return { kind: 'inside' }
  const finding = (await doctor({ kinds: [] })).find(({ about }) => about === 'sandbox')
  if (finding?.level === 'ok') return { kind: 'available' }
  const { says = 'hactl doctor does not know why', fix } = finding ?? {}
  return { kind: 'missing', because: `${says}; ${fix === undefined ? privilegesHint : `type: ${fix}`}` }
}

/** Runs the same command again in a sandbox; false when it fails there. */
async function rerunInSandbox(): Promise<boolean> {
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

/** Where a drill is run, and with which faults. */
type RunLocation<F extends string> =
  | { readonly kind: 'here'; readonly faults: readonly F[] }
  | { readonly kind: 'in a sandbox' }
  | { readonly kind: 'nowhere' }

/**
 * Runs a drill where its faults can be played: a partition takes a sandbox, in which the same command is run again.
 * Where there can be none, a partition among other faults is left out, and one that was asked for alone is a failure.
 */
export async function runWithSandboxIfNeeded<F extends string>(
  wanted: readonly F[],
  drill: (faults: readonly F[]) => Promise<boolean>,
): Promise<boolean> {
  if (!wanted.some(isPartition)) return drill(wanted)
  const sandbox = await findSandbox()
  const location = locationFor(wanted, sandbox.kind)
  if (sandbox.kind === 'missing') {
    const words = location.kind === 'here' ? 'Left out' : 'Cannot be played here'
    console.log(`${words}: --fault partition: ${sandbox.because}`)
  }
  if (location.kind === 'here') return drill(location.faults)
  return location.kind === 'in a sandbox' && rerunInSandbox()
}

/** Where a drill can be run that wants a partition. */
export function locationFor<F extends string>(
  wanted: readonly F[],
  sandbox: Sandbox['kind'],
): RunLocation<F> {
  switch (sandbox) {
    case 'inside':
      return { kind: 'here', faults: wanted }
    case 'available':
      return { kind: 'in a sandbox' }
    case 'missing': {
      const faults = withoutPartition(wanted)
      return faults.length === 0 ? { kind: 'nowhere' } : { kind: 'here', faults }
    }
  }
}

/** The faults that need no sandbox. */
export function withoutPartition<F extends string>(faults: readonly F[]): readonly F[] {
  return faults.filter((fault) => !isPartition(fault))
}

function isPartition(fault: string): boolean {
  return fault === 'partition'
}
