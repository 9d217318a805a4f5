import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { doctor } from '@ha/bootstrap'

/** Whether this process is in a sandbox of hactl, where servers can be cut off from each other. */
export function isInSandbox(): boolean {
  return process.env['HACTL_SANDBOX'] !== undefined
}

/** Why there can be no sandbox on this machine, in one line; undefined when there can. */
export async function missingSandbox(): Promise<string | undefined> {
  const finding = (await doctor({ kinds: [] })).find(({ about }) => about === 'sandbox')
  return finding?.level === 'ok' ? undefined : (finding?.says ?? 'hactl doctor does not know')
}

/** Runs the same command again in a sandbox; false when it fails there. */
export async function againInSandbox(): Promise<boolean> {
  const hactl = fileURLToPath(new URL('./cli/hactl.js', import.meta.resolve('@ha/bootstrap')))
  const [node, ...words] = process.argv
  const child = spawn(
    node ?? process.execPath,
    [hactl, 'sandbox', '--', node ?? process.execPath, ...words],
    {
      stdio: 'inherit',
    },
  )
  // An interrupt from the terminal reaches the sandbox as well, which ends what is in it first.
  const wait = (): undefined => undefined
  process.on('SIGINT', wait)
  try {
    const [status] = await once(child, 'close')
    return status === 0
  } finally {
    process.off('SIGINT', wait)
  }
}
